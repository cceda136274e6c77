//! Free ports on the loopback interface.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

/// Below the range from which Linux takes the ports of outgoing connections, so that a port found
/// free is only ever lost to another server.
const PORTS: Range<u16> = 10_000..22_000;

/// A port nobody listens on now. Another process may take it before its server does: who starts a
/// server tries again with another port.
pub fn free() -> u16 {
    free_with(&[0])
}

/// A port such that it and those at the given distances above it are all free.
pub(crate) fn free_with(distances: &[u16]) -> u16 {
    (0..1000)
        .map(|_| fastrand::u16(PORTS))
        .find(|port| distances.iter().all(|distance| is_free(port + distance)))
        .expect("one of a thousand ports is free")
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_port_in_use() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!is_free(listener.local_addr().unwrap().port()));
        assert!(PORTS.contains(&free()));
    }
}
