//! Facts about the build for `tidegate --version`.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=TIDEGATE_COMMIT");
    // Tests that need an account are told as ignored where there is none.
    println!("cargo::rerun-if-env-changed=TIDEGATE_SNOWFLAKE_ACCOUNT");
    println!("cargo::rustc-check-cfg=cfg(snowflake_account)");
    if env::var_os("TIDEGATE_SNOWFLAKE_ACCOUNT").is_some() {
        println!("cargo::rustc-cfg=snowflake_account");
    }
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    set("RUSTC", output(&rustc, &["--version"]));
    set("TARGET", env::var("TARGET").ok());
    set("PROFILE", env::var("PROFILE").ok());
    // A build from an archive has no repository, and a build of an image may name the commit.
    set("COMMIT", env::var("TIDEGATE_COMMIT").ok().filter(|commit| !commit.is_empty()).or_else(commit));
}

fn commit() -> Option<String> {
    let root = env::var("CARGO_MANIFEST_DIR").ok()?;
    // The repository of this package, not one that it happens to lie in.
    if !Path::new(&root).join(".git").exists() {
        return None;
    }
    let git = |arguments: &[&str]| output("git", &[&["-C", &root], arguments].concat());
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        if let Some(path) = git(&["rev-parse", "--git-path", name]).filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output =
        Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn set(name: &str, value: Option<String>) {
    println!("cargo::rustc-env=TIDEGATE_BUILD_{name}={}", value.unwrap_or_else(|| "unknown".to_owned()));
}
