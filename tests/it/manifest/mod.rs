//! Manifests of our own, read by `tidegate airbyte`: what comes out is what the reference gave (`golden.json` of each
//! folder of `tests/manifests`; `tests/lab/python/manifest_reference.py` makes them anew).

mod case;
mod difference;

use std::collections::BTreeSet;
use std::fs;

macro_rules! cases {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                case::compare(stringify!($name));
            }
        )*

        #[test]
        fn every_manifest_is_a_case() {
            let listed: BTreeSet<String> = [$(stringify!($name).to_owned()),*].into();
            let folders = fs::read_dir(lab::manifest::cases()).expect("the cases are there").flatten();
            let there = folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            assert_eq!(listed, there);
        }
    };
}

cases! {
    auth_jwt
}
