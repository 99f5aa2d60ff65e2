//! Only the variables of Kubernetes Services are ignored.

use super::*;

/// The variables that Kubernetes sets for the Services `keystile` and `keystile-admin-2` (ports `grpc` and `x`, UDP on IPv6).
const SERVICES: [(&str, &str); 22] = [
    ("KEYSTILE_SERVICE_HOST", "10.96.0.17"),
    ("KEYSTILE_SERVICE_PORT", "50051"),
    ("KEYSTILE_SERVICE_PORT_VERIFY_GRPC", "50051"),
    ("KEYSTILE_SERVICE_PORT_ADMIN", "50052"),
    ("KEYSTILE_PORT", "tcp://10.96.0.17:50051"),
    ("KEYSTILE_PORT_50051_TCP", "tcp://10.96.0.17:50051"),
    ("KEYSTILE_PORT_50051_TCP_PROTO", "tcp"),
    ("KEYSTILE_PORT_50051_TCP_PORT", "50051"),
    ("KEYSTILE_PORT_50051_TCP_ADDR", "10.96.0.17"),
    ("KEYSTILE_PORT_50052_SCTP", "sctp://10.96.0.17:50052"),
    ("KEYSTILE_PORT_50052_SCTP_PROTO", "sctp"),
    ("KEYSTILE_PORT_50052_SCTP_PORT", "50052"),
    ("KEYSTILE_PORT_50052_SCTP_ADDR", "10.96.0.17"),
    ("KEYSTILE_ADMIN_2_SERVICE_HOST", "fd00:10:96::11"),
    ("KEYSTILE_ADMIN_2_SERVICE_PORT", "443"),
    ("KEYSTILE_ADMIN_2_SERVICE_PORT_GRPC", "443"),
    ("KEYSTILE_ADMIN_2_SERVICE_PORT_X", "53"),
    ("KEYSTILE_ADMIN_2_PORT", "tcp://[fd00:10:96::11]:443"),
    ("KEYSTILE_ADMIN_2_PORT_53_UDP", "udp://[fd00:10:96::11]:53"),
    ("KEYSTILE_ADMIN_2_PORT_53_UDP_PROTO", "udp"),
    ("KEYSTILE_ADMIN_2_PORT_53_UDP_PORT", "53"),
    ("KEYSTILE_ADMIN_2_PORT_53_UDP_ADDR", "fd00:10:96::11"),
];

const HOST: (&str, &str) = SERVICES[0];

#[track_caller]
fn assert_unknown(fault: &str, name: &str) {
    assert!(fault.starts_with(&format!("{name}: is not a setting")), "{fault}");
}

#[test]
fn variables_of_kubernetes_services_are_ignored() {
    assert_eq!(load(&SERVICES).expect("settings"), load(&[]).expect("defaults"));
}

#[test]
fn without_its_service_each_variable_is_a_fault() {
    for (name, value) in SERVICES {
        if !name.ends_with("_SERVICE_HOST") {
            assert_unknown(&fault(&[(name, value)]), name);
            // One of another name does not cover it.
            let foreign = ("KEYSTILE_OTHER_SERVICE_HOST", "10.96.0.17");
            assert_unknown(&fault(&[foreign, (name, value)]), name);
        }
    }
}

#[test]
fn with_a_service_other_variables_are_still_faults() {
    for (name, value) in [
        ("KEYSTILE_PORT", "50051"),
        ("KEYSTILE_PORT", "tcp://10.96.0.18:50051"),
        ("KEYSTILE_PORT", "http://10.96.0.17:50051"),
        ("KEYSTILE_PORT", "tcp://10.96.0.17"),
        ("KEYSTILE_PORTS", "tcp://10.96.0.17:50051"),
        ("KEYSTILE_PORT_50051", "tcp://10.96.0.17:50051"),
        ("KEYSTILE_PORT_50051_TCP", "tcp://10.96.0.17:50052"),
        ("KEYSTILE_PORT_50051_TCP", "udp://10.96.0.17:50051"),
        ("KEYSTILE_PORT_50051_HTTP", "tcp://10.96.0.17:50051"),
        ("KEYSTILE_PORT_50051_TCP_PROTO", "udp"),
        ("KEYSTILE_PORT_50051_TCP_PORT", "50052"),
        ("KEYSTILE_PORT_50051_TCP_ADDR", "10.96.0.18"),
        ("KEYSTILE_PORT_50051_TCP_NAME", "50051"),
        ("KEYSTILE_PORT_050051_TCP_PORT", "50051"),
        ("KEYSTILE_PORT_70000_TCP_PORT", "70000"),
        ("KEYSTILE_SERVICE_PORT", "0"),
        ("KEYSTILE_SERVICE_PORT", "grpc"),
        ("KEYSTILE_SERVICE_PORT_", "50051"),
        ("KEYSTILE_SERVICE_PORT_grpc", "50051"),
        ("KEYSTILE_SERVICE_PORTS", "50051"),
        ("KEYSTILE_SERVICE_NAME", "50051"),
        ("KEYSTILE_OTHER_SERVICE_HOST", "keystile.default.svc"),
        ("KEYSTILE__SERVICE_HOST", "10.96.0.17"),
        ("KEYSTILE_admin_SERVICE_HOST", "10.96.0.17"),
    ] {
        assert_unknown(&fault(&[HOST, (name, value)]), name);
    }
    assert_eq!(
        fault(&[HOST, ("KEYSTILE_ADMIN_LISTENS", "tcp://10.96.0.17:50051")]),
        "KEYSTILE_ADMIN_LISTENS: is not a setting; did you mean KEYSTILE_ADMIN_LISTEN?"
    );
    assert_eq!(
        fault(&[HOST, ("KEYSTILE_PEPPER", "10.96.0.17")]),
        "KEYSTILE_PEPPER: is not a setting; did you mean KEYSTILE_PEPPERS?"
    );
}

#[test]
fn the_variables_of_a_service_are_faults_in_the_file() {
    let error = load_file("service_host = \"10.96.0.17\"", &[HOST]).expect_err("a fault");
    assert!(
        error.ends_with(
            "KEYSTILE_SERVICE_HOST (`service_host` in keystile.toml): is not a setting: remove it"
        )
    );
}
