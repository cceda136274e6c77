//! Manifests of our own, read by `tidegate airbyte`: what comes out is what the reference gave (`golden.json` of each
//! folder of `tests/manifests`; `tests/lab/python/manifest_reference.py` makes them anew).

mod case;
mod difference;
mod hostile;
mod services;

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
    async_jobs
    async_kinds
    auth_jwt
    auth_oauth
    auth_rotation
    auth_session
    auth_single_use
    auth_static
    bodies
    budget
    check_failing
    config_invalid
    config_rules
    cursor_options
    decoders
    dynamic_config
    dynamic_http
    errors
    incremental_formats
    incremental_kinds
    incremental_windows
    jobs_troubled
    page_cursor
    page_links
    page_number
    page_offset
    page_resets
    page_zero
    partition_incremental
    partition_lists
    partition_parents
    query_properties
    records_combined
    records_extract
    records_transform
    references
    retry_waits
    schema_normal
    secrets
    shared_requests
    state_delegating
    state_old_shapes
    templates
    traps
    urls
}
