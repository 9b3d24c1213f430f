"""The role of the focal parameter, measured and shown on a page of its own. Only its command imports it."""
