//! Which build this is.

use serde::Serialize;

/// Facts about this build, as `build.rs` found them.
#[derive(Serialize)]
pub(crate) struct Version {
    /// Version of this document's form.
    #[serde(rename = "version")]
    form: u32,
    pub(crate) tidegate: &'static str,
    /// `unknown` where the build knew no repository.
    commit: &'static str,
    target: &'static str,
    rustc: &'static str,
    profile: &'static str,
}

/// This build.
pub(crate) const VERSION: Version = Version {
    form: 1,
    tidegate: env!("CARGO_PKG_VERSION"),
    commit: env!("TIDEGATE_BUILD_COMMIT"),
    target: env!("TIDEGATE_BUILD_TARGET"),
    rustc: env!("TIDEGATE_BUILD_RUSTC"),
    profile: env!("TIDEGATE_BUILD_PROFILE"),
};

impl Version {
    /// For people: the version on a line of its own.
    pub(crate) fn text(&self) -> String {
        format!(
            "tidegate {}\ncommit   {}\ntarget   {}\nrustc    {}\nprofile  {}\n",
            self.tidegate, self.commit, self.target, self.rustc, self.profile
        )
    }
}
