//! Requests that nobody sends by accident. Whatever comes in, what goes out is an answer in the
//! right form, and never a fault of ours.

#![allow(clippy::unwrap_used)] // In a test a panic is the report.

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::Request;
use coffre_arm::{RouteInfo, routes};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

mod world;

use world::journey::{backed_up, world_with_vault};
use world::{Answer, SUBSCRIPTION, World};

/// One world and one runtime for all cases: hostile requests may also build on each other.
static STAGE: LazyLock<(Runtime, World)> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(async {
        let world = world_with_vault().await;
        backed_up(&world, "web-1").await;
        world
    });
    (runtime, world)
});

fn send(method: &str, uri: &str, body: Vec<u8>) -> Option<Answer> {
    let (runtime, world) = &*STAGE;
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .header("authorization", format!("Bearer {}", world.token))
        .body(Body::from(body));
    // What is no URI at all never gets as far as the surface.
    Some(runtime.block_on(world.send(request.ok()?)))
}

/// Names that exist, names that do not, and texts that no name may be.
fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "rg1",
            "lab",
            "Lab-VMs",
            "vault1",
            "DefaultPolicy",
            "Web-1",
            "db-1",
            "restores1",
            "Azure",
            "eastus",
            "IaasVMContainer;iaasvmcontainerv2;lab-vms;web-1",
            "VM;iaasvmcontainerv2;lab-vms;web-1",
            "VM;;;",
            ";",
            "-",
            "%3B%3B",
            "%2e%2e",
            "%00",
            "%252f",
            "a%2fb",
            "%C3%28",
            "18446744073709551616",
            "-1",
            "null",
            "0",
        ])
        .prop_map(str::to_owned),
        "[!-~&&[^/?#]]{1,40}",
        "%[0-9A-F]{2}%[0-9A-F]{2}",
    ]
}

fn query() -> impl Strategy<Value = String> {
    let filter = prop::sample::select(vec![
        "",
        "&$filter=",
        "&$filter=backupManagementType%20eq%20%27AzureIaasVM%27",
        "&$filter=a%20eq",
        "&$filter=startTime%20eq%20%27x%27",
        "&%24filter=%27%27%27",
        "&$top=0",
        "&$top=1",
        "&$top=99999999999999999999",
        "&$skipToken=AAAA",
        "&$expand=%00",
        "&api-version=2024-11-01",
        "&=&=&&",
        "&$filter=%ff",
    ]);
    let version = prop::sample::select(vec!["2026-08-01", "2024-11-01-preview", "x", ""]);
    (version, filter).prop_map(|(version, filter)| format!("api-version={version}{filter}"))
}

/// Words that mean something as the value of some member.
const WORDS: &str = "eastus IaasVMBackupRequest IaasVMRestoreRequest RestoreDisks OriginalLocation \
    AlternateLocation ProtectionStopped AlwaysOn Disabled Daily Weekly Hourly V1 V2 VM \
    9999-12-31T23:59:59Z 2026-01-01T25:00:00Z SystemAssigned Microsoft.RecoveryServices/vaults";

/// Names of members that some handler reads.
const NAMES: &str = "properties PROPERTIES location tags identity type name objectType \
    recoveryType policyId sourceResourceId protectionState extendedProperties \
    diskExclusionProperties diskLunList isInclusionList recoveryPointExpiryTimeInUTC \
    storageAccountId restoreDiskLunList schedulePolicy scheduleRunFrequency scheduleRunTimes \
    hourlySchedule interval retentionPolicy dailySchedule retentionDuration count \
    securitySettings softDeleteSettings softDeleteRetentionPeriodInDays softDeleteFeatureState \
    resourceType resourceId timeZone isRehydrate instantRpRetentionRangeInDays storageModelType \
    tieringPolicy ArchivedRP";

fn one_of(words: &'static str) -> impl Strategy<Value = String> {
    let words: Vec<&str> = words.split_whitespace().collect();
    prop::sample::select(words).prop_map(str::to_owned)
}

/// JSON of any shape, with the members that bodies have among its names.
fn body() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|it| json!(it)),
        ".{0,20}".prop_map(Value::from),
        one_of(WORDS).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 8, |inner| {
        let name = prop_oneof![one_of(NAMES), ".{0,10}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn path(route: &RouteInfo, names: &[String]) -> String {
    let mut names = names.iter().cycle();
    let part = |part: &str| match part {
        "{sub}" => SUBSCRIPTION.to_owned(),
        part if part.starts_with('{') => names.next().unwrap().clone(),
        part => part.to_owned(),
    };
    route.pattern.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn check(method: &str, uri: &str, answer: &Answer) {
    let status = answer.status;
    assert!(!status.is_server_error(), "{method} {uri}: {answer:?}");
    assert_eq!(answer.header("x-ms-request-id").len(), 36);
    if status.is_client_error() && method != "HEAD" {
        let oauth = answer.body["error"].is_string();
        assert!(oauth || !answer.code().is_empty(), "{method} {uri}: {answer:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_request_meets_a_fault_of_ours(
        route in prop::sample::select(routes().collect::<Vec<_>>()),
        names in prop::collection::vec(segment(), 1..6),
        query in query(),
        body in prop_oneof![
            body().prop_map(|it| it.to_string().into_bytes()),
            prop::collection::vec(any::<u8>(), 0..200),
        ],
    ) {
        let uri = format!("{}?{query}", path(&route, &names));
        if let Some(answer) = send(route.method.as_str(), &uri, body) {
            check(route.method.as_str(), &uri, &answer);
        }
    }

    #[test]
    fn no_address_meets_a_fault_of_ours(
        method in "[A-Z]{3,7}",
        segments in prop::collection::vec(segment(), 0..12),
        query in query(),
    ) {
        let uri = format!("/{}?{query}", segments.join("/"));
        if let Some(answer) = send(&method, &uri, Vec::new()) {
            check(&method, &uri, &answer);
        }
    }
}
