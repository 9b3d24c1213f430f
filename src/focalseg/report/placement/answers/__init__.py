"""The first screen of a job's page, five questions answered in a line or two each, and the kinds of cases they rest on."""
