//! `coffre az-setup`: the lines that make `az` work with a service on this machine.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use crate::client::{SERVICE_FILE, ServiceInfo};
use crate::say;
use crate::serve::data_dir::DataDir;

/// Prints what `az` needs to work with a service on this machine.
///
/// Use it as `eval "$(coffre az-setup)"`, or write it to a file with --write and source that.
#[derive(Debug, clap::Args)]
pub(crate) struct AzSetupArgs {
    /// Data folder of the service.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Name under which `az` knows the service.
    #[arg(long, default_value = "Coffre")]
    cloud: String,
    /// Write the snippet to this file instead of stdout.
    #[arg(long)]
    write: Option<PathBuf>,
}

/// Does it.
pub(crate) fn run(args: &AzSetupArgs) -> anyhow::Result<ExitCode> {
    let data = match &args.data {
        Some(folder) => folder.clone(),
        None => DataDir::default_path()?,
    };
    let path = data.join(SERVICE_FILE);
    let text = std::fs::read(&path)
        .with_context(|| format!("read {}; did the service ever run?", path.display()))?;
    let info: ServiceInfo =
        serde_json::from_slice(&text).with_context(|| format!("understand {}", path.display()))?;
    let snippet = snippet(&info, &args.cloud);
    match &args.write {
        Some(file) => {
            std::fs::write(file, snippet).with_context(|| format!("write {}", file.display()))?;
        }
        None => say::data(snippet.trim_end())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Everything but the sign-in, which needs the secret.
pub(crate) fn snippet(info: &ServiceInfo, cloud: &str) -> String {
    let cloud = quoted(cloud);
    let ca = quoted_path(&info.ca);
    format!(
        "export REQUESTS_CA_BUNDLE={ca}\n\
         export SSL_CERT_FILE={ca}\n\
         az cloud show --name {cloud} >/dev/null 2>&1 || \
         az cloud register --name {cloud} --endpoint-resource-manager {url}\n\
         az cloud set --name {cloud}\n\
         # then: az login --service-principal -u {client} -p SECRET --tenant {tenant}\n",
        url = quoted(&info.url),
        client = info.client_id,
        tenant = info.tenant,
    )
}

fn quoted_path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// A word that a POSIX shell takes as it is.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(quoted("/srv/coffre-1/ca.pem"), "/srv/coffre-1/ca.pem");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
