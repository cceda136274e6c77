//! datasette: tables of an `SQLite` file, with the URL of the next page in the body.

use std::path::PathBuf;

use super::Service;
use crate::process::Process;
use crate::python::python;

/// A server over the file `shop.db`, ten rows a page.
pub struct Datasette {
    service: Service,
    file: PathBuf,
}

impl Datasette {
    /// Makes the file by `sql` and serves it.
    pub fn start(sql: &str) -> Self {
        let process = Process::new(&["TERM"]);
        let file = process.directory().join("shop.db");
        run(&file, sql);
        let shown = file.display().to_string();
        let service = Service::start(process, "datasette", "/-/versions.json", |port| {
            let port = port.to_string();
            ["serve", &shown, "--port", &port, "--setting", "default_page_size", "10"]
                .map(str::to_owned)
                .into()
        });
        Self { service, file }
    }

    pub fn url(&self) -> String {
        self.service.url()
    }

    /// Runs statements on the file while it is served.
    pub fn run(&self, sql: &str) {
        run(&self.file, sql);
    }
}

fn run(file: &std::path::Path, sql: &str) {
    python("sqlite.py", &[&file.display().to_string(), sql]);
}
