"""Servers and clients of MCP, as FastMCP has them, over a real server."""
