INSERT INTO payments
SELECT
  id,
  md5('payment ' || id)::uuid,
  1 + (a & 255) * (a >> 8 & 255) / 13,
  round(((a >> 16 & 1048575) * (1 + (a >> 36 & 63)) / 977.0)::numeric, 4),
  ('{EUR,USD,GBP,CHF,SEK,PLN,JPY,KWD}'::text[])[1 + (a >> 42 & 7) * (a >> 45 & 7) / 7],
  status,
  CASE WHEN status = 'failed'
       THEN ('{insufficient funds,expired card,"refused by issuer","time-out, try again"}'::text[])[1 + (a >> 48 & 3)] END,
  created_at,
  {updated_at},
  jsonb_build_object(
    'channel', ('{web,ios,android,api}'::text[])[1 + (a >> 50 & 3)],
    'attempt', 1 + (a >> 52 & 3),
    'risk',    (b >> 42 & 1023) / 1024.0,
    'order',   'o-' || to_hex(a & 4294967295),
    'address', json_build_object('city', ('{Berlin,Zürich,"São Paulo",Łódź,東京}'::text[])[1 + (b >> 52 & 1023) % 5],
                                 'postcode', (b >> 24 & 65535)::text)
  ),
  CASE WHEN b & 56 = 0 THEN '{}'
       WHEN b & 32 = 0 THEN '{retail}'
       ELSE ARRAY['retail', 'tier ' || (b >> 6 & 3), 'say "a,b"'] END,
  a >> 54 & 63 = 0,
  CASE WHEN b >> 8 & 3 > 0 THEN (b >> 10 & 1023) / 80.0::float8 END,
  CASE WHEN status IN ('succeeded', 'refunded') THEN (created_at AT TIME ZONE 'UTC')::date + 3 END
FROM (
  SELECT id, a, b, {created_at} AS created_at,
         ('{succeeded,succeeded,succeeded,succeeded,created,pending,failed,refunded}'::text[])[1 + (b >> 3 & 7)] AS status
  FROM (SELECT id, hashint8extended(id, 1) AS a, hashint8extended(id, 2) AS b FROM {ids} AS id) AS hashed
) AS drawn
