"""`bgjobs doctor`: collects facts about an installation, checks them, and prints what is wrong and what helps."""
