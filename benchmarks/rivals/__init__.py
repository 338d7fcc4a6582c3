"""What people would use instead of gatepost: a file each, built as its own documentation recommends.

Each app has a route that answers a short JSON list, and lets in whoever has a key and, where the rival knows
permissions, the one for that route. gatepost wraps the same app in each framework.
"""
