//! Why a table can't be read, and what to do about it.

use protocol::{Error, ErrorKind, Result};

use super::catalog::{self, Class};
use super::name;
use crate::source::postgres::answer::ask_one;
use crate::source::postgres::connect::Client;
use crate::source::postgres::quote_identifier;

/// How alike a name must be to be offered, from 0 to 1.
const LIKENESS: f64 = 0.8;
const OFFERED: usize = 3;

/// The error for a stream that is no table, or none that the role can read.
pub(super) async fn explain(client: &Client, stream_name: &str, found: Option<&Class>) -> Result<Error> {
    let row = ask_one(client, "could not ask who we are", "SELECT current_user, current_database()").await?;
    let (role, database) = (row.text(0).unwrap_or_default(), row.text(1).unwrap_or_default());
    let error = match found {
        None => absent(client, stream_name, database).await?,
        Some(class) => match class.kind {
            Err(what) => Error::config(format!("{stream_name:?} is {what} and has no rows to read")),
            Ok(_) => forbidden(class, stream_name, role),
        },
    };
    Ok(error.context("stream", stream_name))
}

fn forbidden(class: &Class, stream_name: &str, role: &str) -> Error {
    let (schema, name, role) =
        (quote_identifier(&class.schema), quote_identifier(&class.name), quote_identifier(role));
    let mut grants = Vec::new();
    if !class.rights.schema {
        grants.push(format!("GRANT USAGE ON SCHEMA {schema} TO {role};"));
    }
    if !class.rights.some {
        grants.push(format!("GRANT SELECT ON {schema}.{name} TO {role};"));
    }
    Error::new(ErrorKind::Auth, format!("the role {role} may not read {stream_name:?}"))
        .hint(format!("run as the table's owner: {}", grants.join(" ")))
}

async fn absent(client: &Client, stream_name: &str, database: &str) -> Result<Error> {
    let error = Error::config(format!("there is no table {stream_name:?} in the database {database:?}"));
    let names = catalog::names(client).await?;
    let mut near: Vec<(f64, String)> = names
        .iter()
        .map(|(schema, name)| {
            let name = name::stream_name(schema, name);
            (likeness(stream_name, &name), name)
        })
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .collect();
    near.sort_by(|(a, x), (b, y)| b.total_cmp(a).then_with(|| x.cmp(y)));
    near.truncate(OFFERED);
    if near.is_empty() {
        return Ok(error.hint("`tidegate discover` lists what can be read"));
    }
    let near: Vec<String> = near.into_iter().map(|(_, name)| format!("{name:?}")).collect();
    Ok(error.hint(format!("did you mean {}?", near.join(" or "))))
}

/// How alike two names of streams are: the same table of another schema, or a slip of the pen.
fn likeness(wanted: &str, name: &str) -> f64 {
    let (wanted, name) = (wanted.to_lowercase(), name.to_lowercase());
    let table = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    if table(&wanted) == table(&name) { 0.95 } else { strsim::normalized_damerau_levenshtein(&wanted, &name) }
}
