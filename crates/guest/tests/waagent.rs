//! Debian's own agent installs our package and enables it, against a wire server of the test's.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod sandbox;

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coffre_guest::package::{self, SigningKey};
use serde_json::{Value, json};

use sandbox::agent::{NAME, make_keys, openssl, settings, thumbprint};
use sandbox::servers::{Answer, Blob, Peers, Shared, start};

const TEST: &str = "debian_s_agent_installs_and_enables_our_package";
const VERSION: &str = "1.0.0.0";
const HOST: &str = "acct.blob.core.windows.net";
const WIRE: &str = "http://168.63.129.16";

struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn debian_s_agent_installs_and_enables_our_package() {
    // Built where the compiler is; it shows inside through the overlay.
    let program = coffre_testkit::extension_program().unwrap();
    let variables = [("COFFRE_GUEST_PROGRAM", program.as_path())];
    sandbox::enter_with(TEST, "memory", &variables, || {
        install_agent();
        make_keys();
        fs::write("/etc/hosts", format!("127.0.0.1 localhost {HOST}\n")).unwrap();
        let peers = start();
        publish(&mut peers.lock().unwrap());
        let agent = run_agent();
        let reported = reported(&peers);
        drop(agent);
        let handler = &reported["aggregateStatus"]["handlerAggregateStatus"][0];
        assert_eq!(handler["handlerName"], NAME);
        assert_eq!(handler["status"], "Ready");
        let status = &handler["runtimeSettingsStatus"]["settingsStatus"]["status"];
        assert_eq!(status["code"], "1", "{reported:#}");
        let inner: Value =
            serde_json::from_str(status["substatus"][0]["name"].as_str().unwrap()).unwrap();
        assert_eq!(inner[0]["status"]["snapshotInfo"][0]["isSuccessful"], true);
        assert_eq!(peers.lock().unwrap().blobs["acct.blob.core.windows.net/c/disk0"].snapshots, 1);
        sandbox::assert_nothing_is_frozen();
        println!("waagent: installed, enabled, code 1 reported for sequence number 1");
    });
}

/// Puts the files of Debian's package where they belong.
fn install_agent() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/waagent");
    let folder = std::env::var("COFFRE_WAAGENT").unwrap_or_else(|_| root.to_owned());
    let folders = ["usr", "etc"].map(|name| format!("{folder}/{name}"));
    let copied = Command::new("cp").arg("-a").args(folders).arg("/").status().unwrap();
    assert!(copied.success(), "{folder} is missing: `cargo xtask setup`");
    let conf = "Extensions.Enabled=y\nProvisioning.Agent=disabled\nResourceDisk.Format=n\nLogs.Collect=n\nOS.EnableFirewall=n\nAutoUpdate.Enabled=n\nExtensions.GoalStatePeriod=1\n";
    fs::write("/etc/waagent.conf", conf).unwrap();
    let words = "req -x509 -newkey rsa:2048 -nodes -subj /CN=LinuxTransport -days 2 -keyout /var/lib/waagent/TransportPrivate.pem -out /var/lib/waagent/TransportCert.pem";
    openssl(&words.split(' ').collect::<Vec<_>>(), b"");
    fs::write("/var/lib/waagent/Protocol", "WireProtocol").unwrap();
    fs::write("/var/lib/waagent/WireServerEndpoint", "168.63.129.16").unwrap();
}

fn run_agent() -> Agent {
    // It ends at once unless its parent is the daemon, which is known by its file.
    let daemon =
        "printf %s $$ > /run/waagent.pid; python3 -u /usr/sbin/waagent -run-exthandlers; :";
    let child = Command::new("sh")
        .args(["-c", daemon])
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .stdout(fs::File::create("/run/agent.out").unwrap())
        .stderr(fs::File::create("/run/agent.err").unwrap())
        .spawn()
        .expect("a shell is there");
    Agent(child)
}

/// Waits until the agent reports a final result of our command.
fn reported(peers: &Shared) -> Value {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let last = {
            let peers = peers.lock().unwrap();
            let put =
                |call: &&sandbox::servers::Call| call.method == "PUT" && call.target == "/status";
            peers.host_calls.iter().rev().find(put).map(|call| call.text())
        };
        let content = last.and_then(|text| {
            let put: Value = serde_json::from_str(&text).ok()?;
            let bytes = STANDARD.decode(put["content"].as_str()?).ok()?;
            serde_json::from_slice::<Value>(&bytes).ok()
        });
        if let Some(content) = content {
            let handler = &content["aggregateStatus"]["handlerAggregateStatus"][0];
            let settings = &handler["runtimeSettingsStatus"];
            let code = settings["settingsStatus"]["status"]["code"].clone();
            if settings["sequenceNumber"] == 1 && !code.is_null() && code != "4" && code != 0 {
                return content;
            }
        }
        let log = || fs::read_to_string("/var/log/waagent.log").unwrap_or_default();
        assert!(Instant::now() < until, "no report: {}", log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// All that the wire server and the plugin of the host serve.
fn publish(peers: &mut Peers) {
    let mut serve = |request: &str, body: &str| {
        peers.documents.insert(request.to_owned(), Answer::new(200, body));
    };
    serve(
        "GET /?comp=versions",
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Versions><Preferred><Version>2012-11-30</Version></Preferred><Supported><Version>2012-11-30</Version></Supported></Versions>",
    );
    serve("GET /machine/?comp=goalstate", &goal_state());
    serve(
        "GET /hosting",
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><HostingEnvironmentConfig version=\"1.0.0.0\" goalStateIncarnation=\"1\"><Deployment name=\"d\" guid=\"{1e4d9c8b-0000-0000-0000-000000000001}\" incarnation=\"0\"/><Incarnation number=\"1\" instance=\"x\" guid=\"{1e4d9c8b-0000-0000-0000-000000000002}\"/><Role guid=\"{73d95f1c-6472-e58e-7a1a-523554e11d46}\" name=\"x\"/></HostingEnvironmentConfig>",
    );
    serve(
        "GET /shared",
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><SharedConfig version=\"1.0.0.0\" goalStateIncarnation=\"1\"><Deployment name=\"d\" guid=\"{1e4d9c8b-0000-0000-0000-000000000001}\" incarnation=\"0\"/><Incarnation number=\"1\"/><Role guid=\"{73d95f1c-6472-e58e-7a1a-523554e11d46}\" name=\"x\"/></SharedConfig>",
    );
    serve("GET /extensions", &extensions());
    serve("GET /certificates", &certificates());
    let manifest = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><PluginVersionManifest><Plugins><Plugin><Version>{VERSION}</Version><Uris><Uri>{WIRE}/package.zip</Uri></Uris></Plugin></Plugins></PluginVersionManifest>"
    );
    serve("GET /manifest.xml", &manifest);
    serve("GET /versions", "[\"2015-09-01\"]");
    for request in [
        "GET /health",
        "PUT /status",
        "PUT /vmAgentLog",
        "POST /HealthService",
        "POST /machine?comp=health",
        "POST /machine?comp=telemetrydata",
        "POST /machine?comp=roleProperties",
    ] {
        serve(request, "");
    }
    let program = fs::read(coffre_testkit::extension_program().unwrap()).unwrap();
    let (key, _) = SigningKey::generate().unwrap();
    let zip = package::build(&program, NAME, VERSION, &key).unwrap();
    let mut answer = Answer::new(200, "");
    answer.body = zip;
    peers.documents.insert("GET /package.zip".to_owned(), answer);
    for (name, is_page) in [("disk0", true), ("status", false), ("log", false)] {
        let blob =
            Blob { is_page, bytes: Vec::new(), metadata: Vec::new(), snapshots: 0, refuses: None };
        peers.blobs.insert(format!("{HOST}/c/{name}"), blob);
    }
}

fn goal_state() -> String {
    let port = "<LBProbePorts><Port>16001</Port></LBProbePorts>";
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><GoalState><Version>2012-11-30</Version><Incarnation>1</Incarnation>\
         <Machine><ExpectedState>Started</ExpectedState><StopRolesDeadlineHint>300000</StopRolesDeadlineHint>{port}</Machine>\
         <Container><ContainerId>c6d5526c-5ac2-4200-b6e2-56f2b70c5ab2</ContainerId><RoleInstanceList><RoleInstance>\
         <InstanceId>b61f93d0-e1ed-40b2-b067-22c243233448.x</InstanceId><State>Started</State><Configuration>\
         <HostingEnvironmentConfig>{WIRE}/hosting</HostingEnvironmentConfig><SharedConfig>{WIRE}/shared</SharedConfig>\
         <ExtensionsConfig>{WIRE}/extensions</ExtensionsConfig><Certificates>{WIRE}/certificates</Certificates>\
         <ConfigName>b61f93d0.0.b61f93d0.0.x.1.xml</ConfigName></Configuration></RoleInstance></RoleInstanceList></Container></GoalState>"
    )
}

fn address(blob: &str) -> String {
    format!("https://{HOST}/c/{blob}?sv=2014-02-14&sig=x")
}

fn extensions() -> String {
    let public = json!({
        "taskId": "wire_1", "commandToExecute": "snapshot", "locale": "en-US",
        "commandStartTimeUTCTicks": "", "vmType": "microsoft.compute/virtualmachines",
    });
    let disks = json!({"blobSASUri": [address("disk0")]}).to_string();
    let protected = json!({
        "objectStr": STANDARD.encode(disks),
        "statusBlobUri": address("status"), "logsBlobUri": address("log"),
    });
    let settings = settings(&thumbprint(), &public, &protected);
    let settings = settings.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Extensions version=\"1.0.0.0\" goalStateIncarnation=\"1\">\
         <GuestAgentExtension><GAFamilies/></GuestAgentExtension>\
         <Plugins><Plugin name=\"{NAME}\" version=\"{VERSION}\" location=\"{WIRE}/manifest.xml\" failoverlocation=\"\" \
         state=\"enabled\" autoUpgrade=\"false\" runAsStartupTask=\"false\" isJson=\"true\" useExactVersion=\"true\"/></Plugins>\
         <PluginSettings><Plugin name=\"{NAME}\" version=\"{VERSION}\"><RuntimeSettings seqNo=\"1\">{settings}</RuntimeSettings></Plugin></PluginSettings>\
         <StatusUploadBlob statusBlobType=\"BlockBlob\">https://{HOST}/c/agent?sig=x</StatusUploadBlob>\
         <InVMGoalStateMetaData inSvdSeqNo=\"1\" createdOnTicks=\"637405409304121230\" \
         activityId=\"555e551c-600e-4fb4-90ba-8ab8ec28eccc\" correlationId=\"400de90b-522e-491f-9d89-ec944661f531\"/></Extensions>"
    )
}

/// The key pair of the machine, in a PFX, in an envelope for the agent's transport certificate.
fn certificates() -> String {
    let words = "pkcs12 -export -inkey k.pem -in c.pem -passout pass:";
    let pfx = openssl(&words.split(' ').collect::<Vec<_>>(), b"");
    let words = "cms -encrypt -binary -outform DER -des3 -recip /var/lib/waagent/TransportCert.pem";
    let sealed = STANDARD.encode(openssl(&words.split(' ').collect::<Vec<_>>(), &pfx));
    // The agent hands the text to openssl as it is, which reads short lines only.
    let lines: Vec<&str> =
        sealed.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let sealed = lines.join("\n");
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><CertificateFile><Version>2012-11-30</Version><Incarnation>1</Incarnation>\
         <Format>Pkcs7BlobWithPfxContents</Format><Data>{sealed}</Data></CertificateFile>"
    )
}
