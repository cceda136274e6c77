//! The server's address and the account's name, from what people write.

use protocol::{Error, Result};
use url::Url;

use super::account::{Account, Protocol};

/// Where accounts are, unless their region is in China.
const DOMAIN: &str = ".snowflakecomputing.com";
/// Where they are then.
const DOMAIN_CHINA: &str = ".snowflakecomputing.cn";
/// The region that host names leave out.
const UNNAMED_REGION: &str = "us-west-2";

/// Where the server is, and what the account is called there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    /// `https://myorg-myaccount.snowflakecomputing.com/`
    pub(super) url: Url,
    /// The account's name in a login, in upper case, without region and cloud.
    pub(super) account: String,
}

impl Host {
    /// The address that `account` means.
    pub(super) fn of(account: &Account) -> Result<Self> {
        let given = account.account.as_deref().map(identifier).transpose()?;
        let host = match (&account.host, &given) {
            (Some(host), _) => bare_host(host)?,
            (None, Some(given)) => given.host(account.region.as_deref())?,
            (None, None) => {
                return Err(Error::config("`account` is not set")
                    .hint("name the account, `myorg-myaccount`, or the server's `host`"));
            }
        };
        let name = match &given {
            Some(given) => given.name(),
            None => host.split('.').next().unwrap_or_default().to_ascii_uppercase(),
        };
        let scheme = match account.protocol.unwrap_or_default() {
            Protocol::Https => "https",
            Protocol::Http => "http",
        };
        let port = account.port.map(|port| format!(":{port}")).unwrap_or_default();
        let url = Url::parse(&format!("{scheme}://{host}{port}/")).map_err(|error| {
            Error::config(format!("{host:?} can't be the name of a server")).with_source(error)
        })?;
        Ok(Self { url, account: name })
    }
}

/// An account's identifier, in parts.
struct Identifier<'a> {
    /// `myorg-myaccount` or `xy12345`.
    account: &'a str,
    /// `eu-central-1`, `west-europe.azure`, `privatelink`, or nothing.
    rest: Option<&'a str>,
    /// The whole host name, where that was given.
    host: Option<&'a str>,
}

/// Reads `account`: an identifier, a host name, or the URL of the account.
fn identifier(given: &str) -> Result<Identifier<'_>> {
    let trimmed = given.trim();
    let bare = trimmed.split_once("://").map_or(trimmed, |(_, rest)| rest);
    if bare.starts_with("app.snowflake.com") {
        return Err(Error::config("`account` is the address of Snowsight")
            .hint("of `https://app.snowflake.com/myorg/myaccount/` the account is `myorg-myaccount`"));
    }
    // Of a URL, or of a host with a port, the name alone.
    let is_address = trimmed.contains("://") || bare.to_ascii_lowercase().contains(".snowflakecomputing.");
    let bare = if is_address { bare.split(['/', ':']).next().unwrap_or_default() } else { bare };
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_odd =
        bare.is_empty() || bare.starts_with(['.', '-']) || bare.contains("..") || bare.ends_with('.');
    if is_odd || !bare.chars().all(allowed) {
        return Err(Error::config(format!("`account` can't be {given:?}"))
            .hint("it is an organisation and an account, `myorg-myaccount`, or a locator with its region, `xy12345.eu-central-1`"));
    }
    let lower = bare.to_ascii_lowercase();
    let inner = lower.strip_suffix(DOMAIN).or_else(|| lower.strip_suffix(DOMAIN_CHINA)).map(str::len);
    let (part, host) = match inner {
        Some(length) => (&bare[..length], Some(bare)),
        None => (bare, None),
    };
    let (account, rest) = match part.split_once('.') {
        Some((account, rest)) => (account, Some(rest)),
        None => (part, None),
    };
    Ok(Identifier { account, rest, host })
}

impl Identifier<'_> {
    /// The account's name in a login.
    fn name(&self) -> String {
        // `ACCOUNT-EXTERNALID.global`, of an account that others may replicate.
        let global = self.rest.is_some_and(|rest| rest.eq_ignore_ascii_case("global"));
        let name = match self.account.rsplit_once('-') {
            Some((name, _)) if global => name,
            _ => self.account,
        };
        name.to_ascii_uppercase()
    }

    /// The server's name. Underscores can't be in one: they are dashes there.
    fn host(&self, region: Option<&str>) -> Result<String> {
        if let Some(host) = self.host {
            return Ok(host.to_ascii_lowercase().replace('_', "-"));
        }
        let rest = match (self.rest, region.map(str::trim).filter(|region| !region.is_empty())) {
            (Some(rest), Some(region)) if !rest.eq_ignore_ascii_case(region) => {
                return Err(Error::config(format!(
                    "`account` has a region, {rest:?}, and `region` is another, {region:?}"
                )));
            }
            (rest, region) => rest.or(region).map(str::to_ascii_lowercase),
        };
        let account = self.account.to_ascii_lowercase().replace('_', "-");
        let rest = rest.filter(|rest| rest != UNNAMED_REGION);
        let domain = match &rest {
            Some(region) if region.starts_with("cn-") => DOMAIN_CHINA,
            _ => DOMAIN,
        };
        let dotted = rest.map(|rest| format!(".{rest}")).unwrap_or_default();
        Ok(format!("{account}{dotted}{domain}"))
    }
}

/// `host` as it is given, if it is a name or an address and no URL.
fn bare_host(host: &str) -> Result<String> {
    let host = host.trim();
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_v6 = host.starts_with('[') && host.ends_with(']');
    if host.is_empty() || !(is_v6 || host.chars().all(allowed)) {
        return Err(Error::config(format!("`host` can't be {host:?}")).hint(
            "it is the server's name alone: `myorg-myaccount.snowflakecomputing.com`; `port` and `protocol` are settings",
        ));
    }
    Ok(host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(account: &str) -> Host {
        Host::of(&Account { account: Some(account.to_owned()), ..Account::default() }).unwrap()
    }

    #[test]
    fn accounts_are_found_where_snowflake_puts_them() {
        for (account, server, name) in [
            ("myorg-myaccount", "myorg-myaccount.snowflakecomputing.com", "MYORG-MYACCOUNT"),
            ("MyOrg-My_Account", "myorg-my-account.snowflakecomputing.com", "MYORG-MY_ACCOUNT"),
            ("xy12345.eu-central-1", "xy12345.eu-central-1.snowflakecomputing.com", "XY12345"),
            ("xy12345.us-west-2", "xy12345.snowflakecomputing.com", "XY12345"),
            ("xy12345.west-europe.azure", "xy12345.west-europe.azure.snowflakecomputing.com", "XY12345"),
            ("xy12345.cn-northwest-1", "xy12345.cn-northwest-1.snowflakecomputing.cn", "XY12345"),
            ("myorg-acc.privatelink", "myorg-acc.privatelink.snowflakecomputing.com", "MYORG-ACC"),
            (
                "xy12345.eu-west-1.privatelink",
                "xy12345.eu-west-1.privatelink.snowflakecomputing.com",
                "XY12345",
            ),
            ("acc-extid123.global", "acc-extid123.global.snowflakecomputing.com", "ACC"),
            ("https://myorg-acc.snowflakecomputing.com/", "myorg-acc.snowflakecomputing.com", "MYORG-ACC"),
            ("myorg-acc.snowflakecomputing.com:443", "myorg-acc.snowflakecomputing.com", "MYORG-ACC"),
            ("my_org-a_b.snowflakecomputing.cn", "my-org-a-b.snowflakecomputing.cn", "MY_ORG-A_B"),
        ] {
            let found = host(account);
            assert_eq!(found.url.as_str(), format!("https://{server}/"), "{account}");
            assert_eq!(found.account, name, "{account}");
        }
    }

    #[test]
    fn a_region_may_stand_apart() {
        let account = Account {
            account: Some("xy12345".to_owned()),
            region: Some("west-europe.azure".to_owned()),
            ..Account::default()
        };
        assert_eq!(
            Host::of(&account).unwrap().url.as_str(),
            "https://xy12345.west-europe.azure.snowflakecomputing.com/"
        );
        let twice = Account { account: Some("xy12345.eu-west-1".to_owned()), ..account };
        assert!(Host::of(&twice).unwrap_err().message().contains("another"));
    }

    #[test]
    fn a_host_wins_and_names_the_account_where_nothing_else_does() {
        let account = Account {
            host: Some("127.0.0.1".to_owned()),
            port: Some(8085),
            protocol: Some(Protocol::Http),
            account: Some("myorg-acc".to_owned()),
            ..Account::default()
        };
        let found = Host::of(&account).unwrap();
        assert_eq!((found.url.as_str(), found.account.as_str()), ("http://127.0.0.1:8085/", "MYORG-ACC"));
        let host = Some("myorg-acc.privatelink.snowflakecomputing.com".to_owned());
        assert_eq!(Host::of(&Account { host, ..Account::default() }).unwrap().account, "MYORG-ACC");
    }

    #[test]
    fn what_can_not_be_an_account_is_refused_with_a_hint() {
        for account in ["", "a b", "a/../b c", ".x", "x..y", "x.", "a'b", "https://app.snowflake.com/o/a/"] {
            let given = Account { account: Some(account.to_owned()), ..Account::default() };
            let error = Host::of(&given).unwrap_err();
            assert!(error.advice().is_some(), "{account}: {error}");
        }
        for host in ["https://x.snowflakecomputing.com", "x:443", "user@x", ""] {
            let given = Account { host: Some(host.to_owned()), ..Account::default() };
            assert!(Host::of(&given).unwrap_err().advice().is_some(), "{host}");
        }
        assert!(Host::of(&Account::default()).unwrap_err().message().contains("`account` is not set"));
    }
}
