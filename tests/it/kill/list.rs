//! The list of places is that of the code, and no build of the binary has any of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::points::{Mode, POINTS, Store};
use super::work::OWN;
use crate::snowflake;

/// Names in `point!("…")` below the folders that make the binary, with how often each stands there.
fn in_code() -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    let mut folders: Vec<PathBuf> =
        ["engine/src", "connectors/src", "src"].iter().map(|folder| lab::root().join(folder)).collect();
    // Put together here, so that this file does not hold it.
    let mark = format!("point!{}\"", '(');
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the repository can be read").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                for rest in text.split(&mark).skip(1) {
                    let name = rest.split('"').next().unwrap_or_default();
                    *names.entry(name.to_owned()).or_default() += 1;
                }
            }
        }
    }
    names
}

#[test]
fn every_place_in_the_code_is_tested() {
    let code = in_code();
    let of_snowflake = || snowflake::KILLED.iter().chain(snowflake::KILLED_MOVING);
    let is_tested = |name: &str| {
        OWN.contains(&name)
            || of_snowflake().any(|known| *known == name)
            || POINTS.iter().any(|point| point.name == name)
    };
    let unknown: Vec<_> = code.keys().filter(|name| !is_tested(name)).collect();
    assert!(unknown.is_empty(), "places that no test kills a sync at: {unknown:?}");
    let gone: Vec<_> = POINTS
        .iter()
        .map(|point| point.name)
        .chain(OWN.iter().copied())
        .chain(of_snowflake().copied())
        .filter(|name| !code.contains_key(*name))
        .collect();
    assert!(gone.is_empty(), "places that are not in the code: {gone:?}");
    let twice: Vec<_> = code.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "names that stand for several places: {twice:?}");
    let cases = |mode, store| POINTS.iter().filter(|point| point.is_in(mode, store)).count();
    let modes = [Mode::Full, Mode::First, Mode::Later];
    let all: usize =
        modes.map(|mode| cases(mode, Store::Directory) + cases(mode, Store::Bucket)).into_iter().sum();
    eprintln!("{} places in the code, {all} cases", code.len());
}

/// The packages that are built for `edges` of the binary, with their features.
fn built(edges: &str) -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .current_dir(lab::root())
        .args(["tree", "--package", "tidegate", "--edges", edges, "--format", "{p} {f}"])
        .args(["--locked", "--offline", "--prefix", "none"])
        .output()
        .expect("cargo runs the tests");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("names of packages are UTF-8")
}

#[test]
fn no_build_of_the_binary_can_be_killed_so() {
    assert!(!built("normal,build").contains("killpoints"), "a build of the binary has the feature");
    assert!(built("normal,build,dev").contains("killpoints"), "the tests have not the feature");
}
