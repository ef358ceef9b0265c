#!/bin/sh
# Books one line of an account. A FIFO queue keeps the order: a message is run when the one before
# it in its group is done, however many workers there are.
echo "booking $Message (sequence number $SequenceNumber, group $MessageGroupId)"
sleep 0.1
