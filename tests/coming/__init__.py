"""Keys of others' stores, made by the real packages, moved here by the code of docs/coming.md."""
