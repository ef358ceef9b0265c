#!/bin/sh
# The work of the demo: "resizes" the picture that the message names. Its exit code decides what
# becomes of the message.
echo "resizing $Message (try $ApproximateReceiveCount)"
sleep 0.3
case "$Message" in
*.txt)
	echo "$Message is no picture, and never will be"
	exit 3 # rejected: deleted, and somebody is told
	;;
moon.png)
	[ "$ApproximateReceiveCount" -gt 1 ] && exit 0
	echo "$Message has not been uploaded yet"
	exit 4 # not now: tried again later, nobody is told
	;;
sun.png)
	echo "out of memory at line 42" >&2
	exit 1 # failed: tried again later, and somebody is told
	;;
esac
