//! The few plain requests by which the lab talks to its own servers.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// The status and the body of the answer; none while nobody answers at the port.
pub(crate) fn request(method: &str, port: u16, path: &str) -> Option<(u16, String)> {
    request_with(method, port, path, "")
}

/// The same, for a request with a body.
pub(crate) fn request_with(method: &str, port: u16, path: &str, body: &str) -> Option<(u16, String)> {
    request_as(method, port, path, "", body)
}

/// The same, with more lines of the head, each with its end.
pub(crate) fn request_as(
    method: &str,
    port: u16,
    path: &str,
    lines: &str,
    body: &str,
) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_mins(1))).ok()?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nAccept: application/json\r\n{lines}Content-Length: {length}\r\n\r\n"
    );
    stream.write_all((head + body).as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Some((status, body.to_owned()))
}
