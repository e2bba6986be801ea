//! First start, sign-in, refusals, a second start, an end.

use serde_json::Value;

use crate::stand::{Stand, coffre};

#[test]
fn the_first_start_needs_nothing_and_the_secret_is_seen_once() {
    let mut stand = Stand::new();
    stand.start(None);
    stand.login();
    let vms = stand.ask(&["vm", "list"]);
    assert_eq!(vms, Value::Array(Vec::new()));
    let vault = stand.ask(&["vault", "create", "-g", "rg", "-n", "first", "-l", "local"]);
    assert_eq!(vault["name"], "first");
    assert_eq!(stand.ask(&["vault", "list"]).as_array().unwrap().len(), 1);
    let policies = stand.ask(&["policy", "list", "-v", "first"]);
    let names: Vec<_> = policies.as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert!(names.contains(&&Value::from("DefaultPolicy")), "{names:?}");
    assert_eq!(stand.ask(&["job", "list", "-v", "first"]), Value::Array(Vec::new()));

    let secret = std::fs::read_to_string(stand.secret()).unwrap();
    let kept = stand.folder().join("kept");
    std::fs::rename(stand.secret(), &kept).unwrap();
    stand.stop();
    stand.start(None);
    assert!(!stand.secret().exists(), "the secret is shown at the first start only");
    stand.login_with(&kept);
    assert_eq!(stand.ask(&["vault", "show", "-n", "first"])["name"], "first");
    assert!(!stand.log().contains(secret.trim()), "no secret in the log");
}

#[test]
fn a_lost_secret_is_renewed_while_the_service_is_stopped() {
    let mut stand = Stand::new();
    stand.start(None);
    let new = stand.folder().join("new");
    let renew = |stand: &Stand| {
        let mut verb = coffre();
        verb.args(["admin-secret", "--data"]).arg(&stand.data).arg("--secret-file").arg(&new);
        verb.output().unwrap()
    };
    let refused = renew(&stand);
    assert_eq!(refused.status.code(), Some(1), "the service runs");
    stand.stop();
    assert!(renew(&stand).status.success());
    stand.start(None);
    stand.login_with(&new);
    let data = stand.data.to_str().unwrap();
    let old = stand.secret();
    let refused = stand.client(&["login", "--data", data, "--secret-file", old.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1), "the old secret is worth nothing");
}

#[test]
fn a_second_service_on_the_same_folder_is_refused() {
    let mut stand = Stand::new();
    stand.start(None);
    let second = coffre()
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(&stand.data)
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let text = String::from_utf8_lossy(&second.stderr);
    assert!(text.contains("another coffre serve already runs"), "{text}");
    stand.login();
}

#[test]
fn wrong_secrets_names_and_words_are_told_apart() {
    let mut stand = Stand::new();
    stand.start(None);
    let wrong = stand.folder().join("wrong");
    std::fs::write(&wrong, "guess\n").unwrap();
    let data = stand.data.to_str().unwrap();
    let refused =
        stand.client(&["login", "--data", data, "--secret-file", wrong.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("sign in"));
    stand.login();
    for (words, wanted) in [
        (&["vault", "show", "-n", "none"][..], "there is no vault named none"),
        (&["vault", "create", "-g", "rg", "-n", "1", "-l", "local"], "name"),
        (&["vault", "create", "-g", "rg", "-n", "ok", "-l", "mars"], "mars"),
        (&["vm", "start", "-n", "none"], "there is no virtual machine named none"),
    ] {
        let output = stand.client(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(wanted), "{words:?}: {text}");
    }
    assert_eq!(stand.client(&["vault", "show"]).status.code(), Some(2), "wrong usage");
}

#[test]
fn the_portal_and_the_api_answer_behind_one_door() {
    let mut stand = Stand::new();
    stand.start(None);
    let text = std::fs::read(stand.data.join("service.json")).unwrap();
    let info: Value = serde_json::from_slice(&text).unwrap();
    let url = info["url"].as_str().unwrap();
    assert!(info["pid"].as_u64().is_some_and(|pid| pid == u64::from(stand.pid())));
    let ca = std::fs::read(info["ca"].as_str().unwrap()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ureq::tls::TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(ureq::tls::RootCerts::new_with_certs(&[
            ureq::tls::Certificate::from_pem(&ca).unwrap()
        ]))
        .build();
    let agent = ureq::Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .new_agent();
    let mut metadata =
        agent.get(format!("{url}/metadata/endpoints?api-version=2022-09-01")).call().unwrap();
    let body: Value = metadata.body_mut().read_json().unwrap();
    assert_eq!(body["resourceManager"].as_str(), Some(url));
    let refused = agent.get(format!("{url}/subscriptions?api-version=2022-12-01")).call().unwrap();
    assert_eq!(refused.status().as_u16(), 401);
    let mut page = agent.get(url).call().unwrap();
    assert_eq!(page.status().as_u16(), 200);
    assert!(page.body_mut().read_to_string().unwrap().contains("<html"));
}
