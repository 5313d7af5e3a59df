"""The design-change suite: how much of its skill a policy keeps when the design changes."""
