//! `tidegate init`.

use super::run::Place;

#[test]
fn writes_an_example_and_its_schema() {
    let place = Place::new();
    let ran = place.run(&["init"]).exits(0).prints("wrote tidegate.yaml").prints("tidegate check");
    assert_eq!(ran.stderr, "");
    let example = place.read("tidegate.yaml");
    assert!(example.starts_with("# yaml-language-server: $schema=./tidegate.schema.json\n"), "{example}");
    let schema: serde_json::Value = serde_json::from_str(&place.read("tidegate.schema.json")).unwrap();
    assert_eq!(schema, place.run(&["schema"]).json());
}

#[test]
fn never_overwrites_unless_told_to() {
    let place = Place::with("mine");
    place.run(&["init"]).exits(64).says("\"tidegate.yaml\" exists already").says("--force overwrites it");
    assert_eq!(place.read("tidegate.yaml"), "mine");
    place.run(&["init", "--force"]).exits(0);
    assert!(place.read("tidegate.yaml").contains("connections:"));
}

#[test]
fn writes_where_it_is_told_and_says_how_to_go_on() {
    let place = Place::new();
    place.write("conf/keep", "");
    place.run(&["init", "conf/my.yaml"]).exits(0).prints("tidegate --config conf/my.yaml check");
    assert!(place.path("conf/tidegate.schema.json").exists());
    let document = place.run(&["init", "conf/other.yaml", "-o", "json"]).exits(0).json();
    assert_eq!(document["files"][0], "conf/other.yaml");
    place.run(&["init", "no/such/folder.yaml"]).exits(78).says("can't be written");
}
