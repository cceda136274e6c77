//! `tidegate plan`, `read` and `commit`: the steps of a sync one by one.

use super::shop::{STREAMS, Shop};
use super::sync::stream;

#[tokio::test]
async fn partitions_are_read_apart_and_committed_together() {
    let shop = Shop::new(STREAMS).await;
    let place = &shop.place;
    place
        .run(&["plan", "--out", "plan.json"])
        .exits(0)
        .prints("public.orders")
        .prints("written to plan.json");
    let document: serde_json::Value = serde_json::from_str(&place.read("plan.json")).unwrap();
    let mut files = Vec::new();
    for plan in document["plans"].as_array().unwrap() {
        let name = plan["stream"]["name"].as_str().unwrap();
        for partition in 0..plan["partitions"].as_array().unwrap().len() {
            let number = partition.to_string();
            let arguments = ["read", "--plan", "plan.json", "--stream", name, "--partition", &number];
            let file = format!("{name}-{partition}.json");
            place.write(&file, &place.run(&arguments).exits(0).stdout);
            files.push(file);
        }
    }
    assert!(place.run(&["state", "show", "-o", "json"]).json()["streams"][0]["head"]["sequence"] == 0);
    let mut arguments = vec!["commit", "--plan", "plan.json", "-o", "json"];
    arguments.extend(files.iter().map(String::as_str));
    let report = place.run(&arguments).exits(0).json();
    assert_eq!(stream(&report, "public.orders")["rows_written"], 3);
    assert_eq!(stream(&report, "public.countries")["rows_written"], 1);
    // A plan is good for one commit.
    let again = place.run(&arguments).exits(75).json();
    assert_eq!(again["streams"][0]["error"]["kind"], "conflict");
    let next = place.run(&["sync", "-o", "json", "-s", "public.orders"]).exits(0).json();
    assert_eq!(next["totals"]["rows_written"], 0);
}

#[tokio::test]
async fn the_plan_may_come_through_a_pipe() {
    let shop = Shop::new("      - name: public.countries\n").await;
    let plan = shop.place.run(&["plan", "-o", "json"]).exits(0).stdout;
    shop.place.write("plan.json", &plan);
    let mut child = shop.place.command(&["read", "--plan", "-", "--partition", "0"]);
    let input = std::fs::File::open(shop.place.path("plan.json")).unwrap();
    let output = child.stdin(input).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    shop.place.write("0.json", &String::from_utf8(output.stdout).unwrap());
    shop.place.run(&["commit", "--plan", "plan.json", "0.json"]).exits(0).prints("public.countries");
}

#[tokio::test]
async fn documents_that_are_no_plan_are_refused() {
    let shop = Shop::new("      - name: public.countries\n").await;
    let place = &shop.place;
    place.run(&["plan", "--out", "plan.json"]).exits(0);
    let read = |file: &str| place.run(&["read", "--plan", file, "--partition", "0"]);
    read("none.json").exits(78).says("file \"none.json\" can't be read").says("No such file");
    place.write("text.json", "plan");
    read("text.json").exits(78).says("is not JSON");
    place.write("empty.json", "");
    read("empty.json").exits(78).says("is empty, expected a plan");
    place.write("other.json", "{\"version\":1}");
    read("other.json").exits(78).says("holds no plan").says("missing field");
    place.write("new.json", &place.read("plan.json").replacen("\"version\":1", "\"version\":2", 9));
    read("new.json").exits(78).says("a newer tidegate wrote it");
    place.write("error.json", &place.run(&["plan", "nothing", "-o", "json"]).stdout);
    read("error.json").exits(78).says("holds the error of a command that failed");
    place.run(&["read", "--plan", "plan.json", "--partition", "7"]).exits(78).says("has no partition 7");
    let ran = place.run(&["read", "--plan", "plan.json", "--partition", "0", "--stream", "x"]).exits(78);
    ran.says("the plan has no stream \"x\"").says("public.countries");
}

#[tokio::test]
async fn what_was_read_for_another_plan_is_refused() {
    let shop = Shop::new("      - name: public.countries\n").await;
    let place = &shop.place;
    for name in ["a.json", "b.json"] {
        place.run(&["plan", "--out", name]).exits(0);
    }
    place.write("0.json", &place.run(&["read", "--plan", "a.json", "--partition", "0"]).exits(0).stdout);
    place.run(&["commit", "--plan", "b.json", "0.json"]).exits(78).says("was read for another plan");
    place.run(&["commit", "--plan", "a.json", "a.json"]).exits(78).says("holds no result of a read");
    place.run(&["commit", "--plan", "a.json", "0.json"]).exits(0);
}
