//! Which addresses a webhook may go to. An endpoint's URL is written by somebody who may reach the API; what it leads to is
//! reached by the node, from inside the shop's network. So private targets are refused unless the configuration names them,
//! and names are judged by the address that they lead to at the moment of connecting.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use serde::Deserialize;
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// A network, e.g. `192.168.7.0/24` or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

/// What the configuration allows beyond public addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// Private networks that may be told.
    pub networks: Vec<Network>,
    /// This machine may be told.
    pub loopback: bool,
}

/// Why a URL is not told anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// It is not a URL that can be posted to.
    #[error("{0}")]
    Url(&'static str),
    /// It leads to an address that is not public and not allowed.
    #[error("{0} is not a public address: the configuration must allow it in webhooks.allow_networks")]
    Private(IpAddr),
    /// It leads to this machine.
    #[error("{0} is this machine: the configuration must allow it with webhooks.allow_loopback")]
    Loopback(IpAddr),
    /// Signatures do not hide what is said.
    #[error("http is for private addresses that the configuration allows; use https")]
    Clear,
}

/// What kind of address it is, after mappings of IPv4 into IPv6 were taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Public,
    Private,
    Loopback,
}

impl Guard {
    /// Checks a URL as far as that can be done without asking for its address.
    pub fn check_url(&self, url: &str) -> Result<(), GuardError> {
        if url.len() > URL_BYTES_MAX {
            return Err(GuardError::Url("the URL is too long"));
        }
        let uri: Uri = url.parse().map_err(|_| GuardError::Url("this is not a URL"))?;
        if url.contains('#') || uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
            return Err(GuardError::Url("the URL has a host, and neither a user nor a fragment"));
        }
        let is_clear = is_clear(&uri)?;
        match uri.host().and_then(|host| host.trim_matches(['[', ']']).parse().ok()) {
            Some(address) => self.check_address(address, is_clear),
            None => Ok(()),
        }
    }

    /// Checks an address that a connection is about to be made to.
    pub fn check_address(&self, address: IpAddr, is_clear: bool) -> Result<(), GuardError> {
        let plain = unmapped(address);
        match reach(plain) {
            Reach::Public if is_clear => Err(GuardError::Clear),
            Reach::Public => Ok(()),
            Reach::Loopback if self.loopback => Ok(()),
            Reach::Loopback => Err(GuardError::Loopback(plain)),
            Reach::Private if self.networks.iter().any(|network| network.contains(plain)) => Ok(()),
            Reach::Private => Err(GuardError::Private(plain)),
        }
    }
}

/// Asks for addresses as usual and lets through what the guard allows, so that a name cannot lead elsewhere than was checked.
#[derive(Debug, Default)]
pub struct GuardedResolver {
    guard: Guard,
    inner: DefaultResolver,
}

impl GuardedResolver {
    /// Behind this guard.
    pub fn new(guard: Guard) -> Self {
        Self { guard, inner: DefaultResolver::default() }
    }
}

impl Resolver for GuardedResolver {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let is_clear = is_clear(uri).map_err(|error| Error::Other(Box::new(error)))?;
        let found = self.inner.resolve(uri, config, timeout)?;
        let mut allowed = self.empty();
        let mut refused = None;
        for address in found.iter().copied() {
            let address: SocketAddr = address;
            match self.guard.check_address(address.ip(), is_clear) {
                Ok(()) => allowed.push(address),
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            Some(error) if allowed.is_empty() => Err(Error::Other(Box::new(error))),
            _ => Ok(allowed),
        }
    }
}

impl Network {
    /// True for an address of this network.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(net), IpAddr::V4(address)) => {
                same(u32::from(net).into(), u32::from(address).into(), 32 - self.bits)
            }
            (IpAddr::V6(net), IpAddr::V6(address)) => same(net.into(), address.into(), 128 - self.bits),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a network like 192.168.7.0/24");
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| wrong()))?;
        if bits > most { Err(wrong()) } else { Ok(Self { address, bits }) }
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

fn is_clear(uri: &Uri) -> Result<bool, GuardError> {
    match uri.scheme_str() {
        Some("https") => Ok(false),
        Some("http") => Ok(true),
        _ => Err(GuardError::Url("the URL begins with https:// or http://")),
    }
}

fn same(a: u128, b: u128, host_bits: u32) -> bool {
    a.checked_shr(host_bits).unwrap_or(0) == b.checked_shr(host_bits).unwrap_or(0)
}

/// The IPv4 address that an IPv6 one stands for: mapped, NAT64 (RFC 6052) or 6to4 (RFC 3056).
fn unmapped(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else { return address };
    let [a, b, c, .., y, z] = six.segments();
    let v4 = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match six.to_ipv4_mapped() {
        Some(four) => IpAddr::V4(four),
        None if six.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0] => v4(y, z),
        None if a == 0x2002 => v4(b, c),
        None => address,
    }
}

fn reach(address: IpAddr) -> Reach {
    if address.is_loopback() {
        return Reach::Loopback;
    }
    let private = match address {
        IpAddr::V4(four) => RESERVED_V4
            .iter()
            .any(|&(net, bits)| same(u32::from(Ipv4Addr::from(net)).into(), u32::from(four).into(), 32 - bits)),
        // Only 2000::/3 is given out for the open network; in it, these are for examples and tunnels.
        IpAddr::V6(six) => {
            let [a, b, ..] = six.segments();
            a & 0xe000 != 0x2000 || (a == 0x2001 && (b == 0x0db8 || b < 0x0200)) || six == Ipv6Addr::UNSPECIFIED
        }
    };
    if private { Reach::Private } else { Reach::Public }
}

/// Networks that are not the open internet (IANA's registry of special purpose addresses).
const RESERVED_V4: [([u8; 4], u32); 14] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// What proxies and servers take in a request line.
const URL_BYTES_MAX: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_told_unless_the_configuration_says_so() {
        let guard = Guard::default();
        for url in ["https://example.com/hook", "https://93.184.216.34/", "https://[2606:4700::1111]:8443/x?y=1"] {
            assert_eq!(guard.check_url(url), Ok(()), "{url}");
        }
        for host in [
            "10.0.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "[fe80::1]",
            "[fd00::1]",
            "[::]",
            "[ff02::1]",
            "[::ffff:10.0.0.1]",
            "[64:ff9b::a00:1]",
            "[2002:a00:1::]",
            "[2001:db8::1]",
        ] {
            let refused = guard.check_url(&format!("https://{host}/"));
            assert!(matches!(refused, Err(GuardError::Private(_))), "{host}: {refused:?}");
        }
        for host in ["127.0.0.1", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]", "[2002:7f00:1::]"] {
            assert!(matches!(guard.check_url(&format!("https://{host}/")), Err(GuardError::Loopback(_))), "{host}");
        }
    }

    #[test]
    fn a_network_that_is_allowed_is_told_also_in_clear() {
        let guard = Guard { networks: vec!["192.168.7.0/24".parse().unwrap()], loopback: false };
        assert_eq!(guard.check_url("http://192.168.7.20/erp"), Ok(()));
        assert!(guard.check_url("http://192.168.8.20/erp").is_err());
        assert!(guard.check_url("http://127.0.0.1/").is_err());
        assert_eq!(guard.check_url("http://93.184.216.34/"), Err(GuardError::Clear));
        assert_eq!(Guard { networks: Vec::new(), loopback: true }.check_url("http://127.0.0.1:9/"), Ok(()));
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for url in
            ["", "hello", "ftp://example.com/", "https://", "https://a@example.com/", "https://example.com/#x", "/x"]
        {
            assert!(matches!(Guard::default().check_url(url), Err(GuardError::Url(_))), "{url}");
        }
        assert!(Guard::default().check_url(&format!("https://example.com/{}", "x".repeat(2_000))).is_err());
    }

    #[test]
    fn networks_have_at_most_as_many_bits_as_their_addresses() {
        let network = |text: &str| text.parse::<Network>();
        assert!(network("0.0.0.0/0").unwrap().contains("10.1.2.3".parse().unwrap()));
        assert!(network("::/0").unwrap().contains("fd00::1".parse().unwrap()));
        assert!(!network("::/0").unwrap().contains("10.1.2.3".parse().unwrap()));
        assert!(network("10.1.2.3").unwrap().contains("10.1.2.3".parse().unwrap()));
        assert!(!network("10.1.2.3").unwrap().contains("10.1.2.4".parse().unwrap()));
        for wrong in ["10.0.0.0/33", "10.0.0/8", "erp.local", "::/129", "10.0.0.0/-1"] {
            assert!(network(wrong).is_err(), "{wrong}");
        }
    }
}
