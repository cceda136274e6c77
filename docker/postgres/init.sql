-- A small table to begin with.
CREATE TABLE payments (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  amount      numeric(18,4) NOT NULL,
  currency    char(3) NOT NULL,
  metadata    jsonb NOT NULL DEFAULT '{}',
  updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX payments_updated_at ON payments (updated_at);
INSERT INTO payments (amount, currency)
SELECT (i * 7919 % 100000) / 100.0, ('{EUR,USD,GBP}'::text[])[1 + i % 3]
FROM generate_series(1, 10000) AS i;
