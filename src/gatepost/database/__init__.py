"""The database behind the tiers: tables, migrations, reads and changes. The only importer of SQLAlchemy and Alembic."""
