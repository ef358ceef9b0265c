"""What watchbot costs, against others: `make bench`. No part of the tests."""
