"""The auditor, over workers that are processes of their own, some of them broken on purpose."""
