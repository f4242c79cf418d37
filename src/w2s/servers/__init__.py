"""Servers that speak the OpenAI protocol: what they are asked, at what pace, and what they answered."""
