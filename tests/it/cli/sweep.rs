//! `tidegate sync --sweep`: rows that were written with old values of the cursor.

use super::shop::Shop;
use super::sync::stream;

const STREAMS: &str = "      - name: public.orders
        cursor: updated_at
        options: {sweep: never}
      - name: public.countries
";

#[tokio::test]
async fn a_sweep_finds_rows_with_old_stamps_and_the_report_counts_them() {
    let shop = Shop::new(STREAMS).await;
    shop.place.run(&["sync"]).exits(0);
    let report = |arguments: &[&str]| shop.place.run(arguments).exits(0).json();
    let late = "INSERT INTO orders VALUES (10, 1, NULL, '2001-01-01'), (11, 1, NULL, now())";
    shop.database.execute(late).await;
    let plain = report(&["sync", "-o", "json"]);
    assert_eq!(stream(&plain, "public.orders")["rows_written"], 1);
    assert!(stream(&plain, "public.orders")["late_rows"].is_null());
    shop.database.execute("UPDATE orders SET note = 'x' WHERE id = 1").await;
    let swept = shop.place.run(&["sync", "--sweep", "-o", "json"]).exits(0).says("old values of the cursor");
    let swept = swept.says("nothing to sweep").json();
    let orders = stream(&swept, "public.orders");
    assert_eq!(
        (&orders["mode"], &orders["rows_written"], &orders["late_rows"]),
        (&"sweep".into(), &2.into(), &2.into())
    );
    let notes = orders["notes"].as_array().expect("there are notes");
    assert!(
        notes.iter().any(|note| note.as_str().is_some_and(|note| note.starts_with("2 rows were"))),
        "{notes:?}"
    );
    let again = report(&["sync", "--sweep", "-o", "json", "--stream", "public.orders"]);
    assert_eq!(stream(&again, "public.orders")["late_rows"], 0);
    shop.database.execute("UPDATE orders SET note = 'y' WHERE id = 2").await;
    let text = shop.place.run(&["sync", "--sweep"]).exits(0);
    text.prints("; 1 row found with an old cursor").says("1 row was written with old values");
    let shown = shop.place.run(&["sync", "--sweep", "--dry-run"]).exits(0);
    shown.prints("(sweep)");
}
