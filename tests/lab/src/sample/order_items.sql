CREATE TABLE order_items (
  order_id      bigint        NOT NULL,
  line          integer       NOT NULL,
  part_id       bigint        NOT NULL,
  supplier_id   bigint        NOT NULL,
  quantity      numeric(15,2) NOT NULL,
  price         numeric(15,2) NOT NULL,
  discount      numeric(15,2) NOT NULL,
  tax           numeric(15,2) NOT NULL,
  return_flag   char(1)       NOT NULL,
  line_status   char(1)       NOT NULL,
  shipped_on    date          NOT NULL,
  promised_on   date          NOT NULL,
  received_on   date          NOT NULL,
  instruction   char(25)      NOT NULL,
  mode          char(10)      NOT NULL,
  comment       varchar(44)   NOT NULL
);
INSERT INTO order_items
SELECT
  1 + n / 7,
  1 + n % 7,
  1 + (a & 131071),
  1 + (a >> 17 & 8191),
  1 + (a >> 30 & 63) % 50,
  (90000 + (a >> 36 & 8388607))::numeric / 100,
  ((b & 15) % 11)::numeric / 100,
  ((b >> 4 & 15) % 9)::numeric / 100,
  ('{R,A,N,N}'::text[])[1 + (b >> 8 & 3)],
  CASE WHEN b >> 10 & 1 = 0 THEN 'O' ELSE 'F' END,
  date '2019-01-01' + (b >> 11 & 2047)::integer,
  date '2019-01-01' + (b >> 11 & 2047)::integer + (b >> 22 & 63)::integer - 31,
  date '2019-01-01' + (b >> 11 & 2047)::integer + 1 + (b >> 28 & 31)::integer,
  ('{DELIVER IN PERSON,COLLECT COD,NONE,TAKE BACK RETURN}'::text[])[1 + (b >> 33 & 3)],
  ('{AIR,FOB,MAIL,RAIL,SHIP,TRUCK,REG AIR,COURIER}'::text[])[1 + (b >> 35 & 7)],
  substr(md5('item ' || n) || ' ' || to_hex(b >> 40 & 65535), 1, 8 + (b >> 38 & 31)::integer)
FROM (
  SELECT n, hashint8extended(n, 4) AS a, hashint8extended(n, 5) AS b
  FROM generate_series(0, {rows}::bigint - 1) AS n
) AS hashed;
ALTER TABLE order_items ADD PRIMARY KEY (order_id, line);
ANALYZE order_items
