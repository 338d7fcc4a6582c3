"""A watcher for production: does every worker answer for every key as the database says?"""
