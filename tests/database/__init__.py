"""The database: schema, engines, the statements that freshness relies on."""
