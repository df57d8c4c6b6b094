-- The page only looks: every transaction of this connection is refused a write, this one included.
SET SESSION TRANSACTION READ ONLY
