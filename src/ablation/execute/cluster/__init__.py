"""Trials on other machines: workers check themselves, and get by content what they lack."""
