CREATE TABLE customers AS
SELECT
  id::integer AS id,
  initcap(substr(md5('first ' || id), 1, 6)) || ' ' || initcap(substr(md5('last ' || id), 1, 9)) AS name,
  'customer' || id || '@mail.example' AS email,
  ('{DE,FR,GB,CH,SE,PL,JP,BR}'::char(2)[])[1 + (a & 7)] AS country,
  date '2018-01-01' + (a >> 3 & 2047)::integer AS joined_on,
  (a >> 16 & 1048575)::numeric(12,2) / 100 AS credit,
  CASE WHEN a >> 36 & 7 = 0 THEN 'prefers letters; says "no calls"' END AS note,
  timestamptz '2025-01-01 00:00:00+00' + (a >> 12 & 33554431) * interval '0.8 seconds' AS updated_at
FROM (SELECT id, hashint8extended(id, 3) AS a FROM generate_series(1, {rows}::bigint) AS id) AS hashed;
ALTER TABLE customers
  ADD PRIMARY KEY (id),
  ALTER name SET NOT NULL,
  ALTER email SET NOT NULL,
  ALTER country SET NOT NULL,
  ALTER joined_on SET NOT NULL,
  ALTER credit TYPE numeric(12,2),
  ALTER credit SET NOT NULL,
  ALTER updated_at SET NOT NULL;
CREATE INDEX customers_updated_at ON customers (updated_at);
ANALYZE customers
