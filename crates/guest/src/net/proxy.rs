//! The proxy between this machine and the storage, as its administrator set it.
//!
//! `HttpProxy.Host` and `HttpProxy.Port` of the agent's `waagent.conf` come first, then `https_proxy`, `all_proxy` and
//! `http_proxy` of the environment, in small or capital letters. `no_proxy` names hosts that are reached without. The host
//! of the hypervisor never is reached through a proxy: its address is on the machine's own link.

use std::io::{self, Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::message::{Response, read_head};
use crate::conf::Conf;
use crate::secret::Secret;

/// Where the agent of the machine is configured.
pub(super) const AGENT_CONF: &str = "/etc/waagent.conf";

/// Longer settings are none.
const LENGTH_MAX: usize = 2048;

/// What an administrator set.
#[derive(Debug, Clone, Default)]
pub(super) struct ProxySettings {
    /// Where it is; the error says in words why the setting cannot be used.
    proxy: Option<Result<Proxy, String>>,
    /// Hosts and domains without one.
    exempt: Vec<String>,
}

/// A proxy that makes tunnels.
#[derive(Debug, Clone)]
pub(super) struct Proxy {
    pub(super) host: String,
    pub(super) port: u16,
    credentials: Option<Secret>,
}

impl ProxySettings {
    /// By the agent's configuration, then by the environment.
    pub(super) fn new(agent: &Conf, variable: impl Fn(&str) -> Option<String>) -> ProxySettings {
        let variable = |name: &str| {
            variable(name)
                .or_else(|| variable(&name.to_ascii_uppercase()))
                .map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty())
        };
        let of_agent =
            |key: &str| agent.get("", key).filter(|value| !value.is_empty() && *value != "None");
        let by_agent = of_agent("HttpProxy.Host").map(|host| match of_agent("HttpProxy.Port") {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        });
        let by_environment =
            || ["https_proxy", "all_proxy", "http_proxy"].into_iter().find_map(variable);
        let exempt = variable("no_proxy").unwrap_or_default();
        ProxySettings {
            proxy: by_agent.or_else(by_environment).map(|text| Proxy::parse(&text)),
            exempt: exempt
                .split(',')
                .map(|name| name.trim().trim_start_matches("*.").trim_start_matches('.'))
                .filter(|name| !name.is_empty())
                .map(str::to_ascii_lowercase)
                .collect(),
        }
    }

    /// The proxy on the way to a host; `None` = there is none.
    pub(super) fn towards(&self, host: &str) -> Option<Result<&Proxy, String>> {
        let host = host.to_ascii_lowercase();
        let is_in = |domain: &String| {
            domain == "*"
                || host == *domain
                || host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.'))
        };
        if self.exempt.iter().any(is_in) {
            return None;
        }
        self.proxy.as_ref().map(|proxy| proxy.as_ref().map_err(Clone::clone))
    }
}

impl Proxy {
    /// `host`, `host:port`, or an address with `http://` and perhaps a name and a password.
    fn parse(text: &str) -> Result<Proxy, String> {
        let unusable = || "the setting of the proxy is no address".to_owned();
        if text.len() > LENGTH_MAX || text.chars().any(|c| c.is_control() || c == ' ') {
            return Err(unusable());
        }
        let rest = match text.split_once("://") {
            Some(("http", rest)) => rest,
            Some(_) => return Err("only proxies with http:// are supported".to_owned()),
            None => text,
        };
        let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (credentials, place) = match rest.rsplit_once('@') {
            Some((credentials, place)) => (Some(decoded(credentials).ok_or_else(unusable)?), place),
            None => (None, rest),
        };
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, port.parse().map_err(|_| unusable())?)
            }
            _ => (place, 80),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:%".contains(&byte);
        if host.is_empty() || port == 0 || !host.bytes().all(fits) {
            return Err(unusable());
        }
        let credentials = credentials.map(|text| Secret::new(STANDARD.encode(text)));
        Ok(Proxy { host: host.to_owned(), port, credentials })
    }

    /// Its name in messages.
    pub(super) fn name(&self) -> String {
        format!("proxy {}:{}", self.host, self.port)
    }

    /// Asks for a tunnel to a host, by a connection to the proxy.
    pub(super) fn ask(
        &self,
        stream: &mut (impl Read + Write),
        host: &str,
        port: u16,
    ) -> io::Result<()> {
        let mut request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
        if let Some(credentials) = &self.credentials {
            request.push_str(&format!("Proxy-Authorization: Basic {}\r\n", credentials.expose()));
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes())?;
        stream.flush()?;
        granted(stream)
    }
}

/// Reads what the proxy answers. Nobody speaks in the tunnel before we do.
pub(super) fn granted(stream: &mut impl Read) -> io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        let (Response { status, .. }, used) = read_head(stream, &mut buffer)?;
        match status {
            100..200 => {
                buffer.drain(..used);
            }
            200..300 if buffer.len() == used => return Ok(()),
            200..300 => return Err(io::Error::other("it says more than that there is a tunnel")),
            407 => return Err(io::Error::other("it answered 407: it wants a name and a password")),
            _ => return Err(io::Error::other(format!("it answered {status}"))),
        }
    }
}

/// A text with `%41` and the like in it.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &rest[2..];
    }
    Some(bytes)
}

/// What the fuzzer calls.
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz {
    use super::*;

    /// A setting, and what a proxy answers: no setting breaks out of a line, and only a good answer is taken for one.
    pub(crate) fn proxy(setting: &str, answer: &[u8]) {
        let conf = Conf::parse(setting);
        let variable = |name: &str| Some(setting.to_owned()).filter(|_| name == "https_proxy");
        let settings = ProxySettings::new(&conf, variable);
        if let Some(Ok(proxy)) = settings.towards("a.example") {
            assert!(proxy.port > 0 && !proxy.host.is_empty());
            assert!(proxy.name().bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
            let credentials = proxy.credentials.as_ref().map(Secret::expose);
            assert!(credentials.unwrap_or_default().bytes().all(|byte| byte.is_ascii_graphic()));
        }
        if granted(&mut &*answer).is_ok() {
            assert!(answer.starts_with(b"HTTP/1."));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(agent: &str, variables: &[(&str, &str)], host: &str) -> String {
        let variable = |name: &str| {
            let named = variables.iter().find(|(key, _)| *key == name);
            named.map(|(_, value)| (*value).to_owned())
        };
        let settings = ProxySettings::new(&Conf::parse(agent), variable);
        match settings.towards(host) {
            None => "none".to_owned(),
            Some(Ok(proxy)) => format!("{}:{}", proxy.host, proxy.port),
            Some(Err(why)) => why,
        }
    }

    #[test]
    fn the_agents_setting_comes_first_and_exempt_hosts_have_none() {
        const AGENT: &str = "# x\nHttpProxy.Host=p.example\nHttpProxy.Port=3128\n";
        let both = [("https_proxy", "http://q:1"), ("no_proxy", ".in.example, direct.example,")];
        for (agent, variables, host, expected) in [
            ("", &[][..], "a.b", "none"),
            ("HttpProxy.Host=None\nHttpProxy.Port=None\n", &[], "a.b", "none"),
            (AGENT, &both[..], "a.b", "p.example:3128"),
            ("", &both, "a.b", "q:1"),
            ("", &[("HTTPS_PROXY", "q:2")], "a.b", "q:2"),
            ("", &[("http_proxy", "http://u:p%40@[::1]:8/")], "a.b", "::1:8"),
            (AGENT, &both, "x.In.example", "none"),
            (AGENT, &both, "in.example", "none"),
            (AGENT, &both, "direct.example", "none"),
            (AGENT, &both, "indirect.example", "p.example:3128"),
            (AGENT, &[("NO_PROXY", "*")], "a.b", "none"),
            (
                "",
                &[("all_proxy", "socks5://s:1")],
                "a.b",
                "only proxies with http:// are supported",
            ),
            (
                "",
                &[("https_proxy", "http://h:99999")],
                "a.b",
                "the setting of the proxy is no address",
            ),
        ] {
            assert_eq!(by(agent, variables, host), expected, "{agent} {variables:?}");
        }
    }

    #[test]
    fn a_tunnel_is_asked_for_and_its_answer_is_read_to_the_byte() {
        let proxy = Proxy::parse("http://u:p%40@h:1").unwrap();
        assert!(!format!("{proxy:?}").contains(&STANDARD.encode("u:p@")));
        let mut stream = Both { answer: b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\n", asked: Vec::new() };
        proxy.ask(&mut stream, "a.example", 443).unwrap();
        let asked = String::from_utf8(stream.asked).unwrap();
        assert_eq!(
            asked,
            "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\
             Proxy-Authorization: Basic dTpwQA==\r\n\r\n"
        );
        for (answer, word) in [
            (&b"HTTP/1.1 407 No\r\n\r\n"[..], "407"),
            (b"HTTP/1.1 502 No\r\n\r\n", "502"),
            (b"HTTP/1.1 200 OK\r\n\r\nx", "more"),
            (b"nonsense\r\n\r\n", "no HTTP"),
            (b"HTTP/1.1 200", "end of file"),
        ] {
            let why = granted(&mut &*answer).unwrap_err().to_string();
            assert!(why.contains(word), "{why}");
        }
    }

    struct Both {
        answer: &'static [u8],
        asked: Vec<u8>,
    }

    impl Read for Both {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.answer.read(buffer)
        }
    }

    impl Write for Both {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.asked.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
