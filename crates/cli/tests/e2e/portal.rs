//! The portal as a browser gets it, by curl: cookies, forms, pages.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, ensure};
use coffre_testkit::service::Service;

/// A signed-in browser.
pub(crate) struct Browser {
    url: String,
    authority: PathBuf,
    cookies: PathBuf,
}

impl Browser {
    /// As the program that may do everything.
    pub(crate) fn sign_in(service: &Service, cookies: PathBuf) -> anyhow::Result<Browser> {
        Browser::sign_in_as(&service.info()?.client_id, service, cookies)
    }

    pub(crate) fn sign_in_as(
        name: &str,
        service: &Service,
        cookies: PathBuf,
    ) -> anyhow::Result<Browser> {
        let info = service.info()?;
        let browser = Browser { url: info.url, authority: info.ca, cookies };
        let fields = [("name", name), ("secret", service.secret()?)];
        browser.send("/portal/sign-in", "/portal/sign-in", &fields)?;
        let home = browser.get("/portal/")?;
        ensure!(!home.contains("name=\"secret\""), "the portal did not sign in");
        Ok(browser)
    }

    pub(crate) fn get(&self, path: &str) -> anyhow::Result<String> {
        self.curl(path, &[])
    }

    /// Sends a form of a page.
    pub(crate) fn send(
        &self,
        page: &str,
        form: &str,
        fields: &[(&str, &str)],
    ) -> anyhow::Result<String> {
        let page = self.get(page)?;
        let token = page
            .split_once("name=\"csrf\" value=\"")
            .and_then(|(_, rest)| rest.split_once('"'))
            .context("the page has a form with a token")?
            .0;
        self.post(form, &[&[("csrf", token)], fields].concat())
    }

    fn post(&self, path: &str, fields: &[(&str, &str)]) -> anyhow::Result<String> {
        let data: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let arguments: Vec<&str> =
            data.iter().flat_map(|it| ["--data-urlencode", it.as_str()]).collect();
        self.curl(path, &arguments)
    }

    fn curl(&self, path: &str, more: &[&str]) -> anyhow::Result<String> {
        let output = Command::new("curl")
            .args([
                "--silent",
                "--show-error",
                "--fail-with-body",
                "--location",
                "--max-time",
                "30",
            ])
            .arg("--cacert")
            .arg(&self.authority)
            .arg("--cookie")
            .arg(&self.cookies)
            .arg("--cookie-jar")
            .arg(&self.cookies)
            .args(more)
            .arg(format!("{}{path}", self.url))
            .output()
            .context("start curl")?;
        let text = String::from_utf8(output.stdout).context("a page is UTF-8")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{path}: {said}\n{text}");
        Ok(text)
    }
}
