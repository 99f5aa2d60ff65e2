//! The fields of a project, and their limits.

use super::*;

fn environments(list: &[(&str, &str)]) -> Result<Environments, Invalid> {
    let list: Vec<_> = list
        .iter()
        .map(|(id, tag)| Environment { id: id.parse().unwrap(), tag: tag.parse().unwrap() })
        .collect();
    list.try_into()
}

#[test]
fn environments_are_unique_by_id_and_by_tag() {
    assert!(environments(&[("production", "live"), ("qa", "qa")]).is_ok());
    assert!(environments(&[("qa", "live"), ("qa", "qa")]).is_err());
    assert!(environments(&[("production", "live"), ("qa", "live")]).is_err());
    assert!(environments(&[]).is_err());
}

#[test]
fn a_changed_tag_drops_the_environment() {
    let before = Environments::default();
    let after = environments(&[("production", "prod"), ("staging", "stage")]).unwrap();
    let dropped: Vec<_> = before.dropped_in(&after).map(|gone| gone.id.as_str()).collect();
    assert_eq!(dropped, ["production", "development"]);
}

#[test]
fn prefixes_are_as_documented() {
    for good in ["ab", "acme", "a1", "abcdefghijklmnop"] {
        assert!(good.parse::<Prefix>().is_ok(), "{good}");
    }
    for bad in ["", "a", "1a", "Acme", "a_b", "abcdefghijklmnopq"] {
        assert!(bad.parse::<Prefix>().is_err(), "{bad}");
    }
}

fn project() -> Project {
    Project {
        id: "acme".parse().unwrap(),
        display_name: "Acme".parse().unwrap(),
        prefix: "ac".parse().unwrap(),
        environments: environments(&[("production", "live"), ("qa", "qa")]).unwrap(),
        retention: Retention::default(),
        key_policy: KeyPolicy::default(),
        system_key: KeyId::new(Timestamp::from_micros(0), [1; 10]),
        create_time: Timestamp::from_micros(0),
        update_time: Timestamp::from_micros(0),
        revision: 1,
    }
}

#[test]
fn a_project_is_the_scope_of_its_own_changes() {
    let mut project = project();
    assert_eq!(project.name().to_string(), "projects/acme");
    assert_eq!(Resource::project(&project).as_str(), "acme");
    project.revision = 5;
    assert_eq!(Resource::revision(&project), 5);
}

#[test]
fn events_show_every_field() {
    let project = project();
    assert_eq!(
        project.describe(),
        json!({
            "display_name": "Acme",
            "prefix": "ac",
            "environments": [{ "id": "production", "tag": "live" }, { "id": "qa", "tag": "qa" }],
            "deleted_key_retention_seconds": 30 * 24 * 60 * 60,
            "key_policy": {
                "max_ttl_seconds": null, "require_expiration": false, "max_active_keys": null,
                "max_rotation_grace_seconds": null, "allowed_roles": [],
            },
            "system_key": project.system_key.to_string(),
        })
    );
}

#[test]
fn api_keys_begin_with_prefix_and_tag() {
    let project = project();
    assert_eq!(project.token_prefix(project.environments.first()), "ac_live");
    let qa = project.environments.get(&"qa".parse().unwrap()).unwrap();
    assert_eq!(project.token_prefix(qa), "ac_qa");
    assert_eq!(project.environments.get(&"staging".parse().unwrap()), None);
}

#[test]
fn no_tenant_may_use_the_prefix_of_the_system_project() {
    let acme: Prefix = "acme".parse().unwrap();
    assert_eq!(acme.clone().for_tenant(), Ok(acme));
    let error = Prefix::system().for_tenant().unwrap_err().to_string();
    assert_eq!(error, "must not be keystile, which is reserved for projects/system");
}

#[test]
fn there_are_at_most_twenty_environments() {
    let of = |number: usize| {
        let ids: Vec<_> = (0..number).map(|at| format!("e{at}")).collect();
        environments(&ids.iter().map(|id| (id.as_str(), id.as_str())).collect::<Vec<_>>())
    };
    assert_eq!(of(20).unwrap().iter().count(), 20);
    assert_eq!(of(21).unwrap_err().to_string(), "must have 1 to 20 entries");
}

#[test]
fn the_retention_is_whole_seconds_up_to_ten_years() {
    assert_eq!(Retention::default().as_duration(), 30 * DAY);
    let second = Duration::from_secs(1);
    for (span, kept) in [
        (Duration::ZERO, Some(Duration::ZERO)),
        (Duration::from_millis(1999), Some(second)),
        (3650 * DAY, Some(3650 * DAY)),
        (3650 * DAY + second, None),
    ] {
        assert_eq!(Retention::try_from(span).ok().map(Retention::as_duration), kept, "{span:?}");
    }
}

#[test]
fn tags_are_as_documented() {
    for good in ["a", "qa", "live", "a1", "abcdefghij"] {
        assert!(good.parse::<EnvironmentTag>().is_ok(), "{good}");
    }
    for bad in ["", "1a", "Live", "a_b", "a-b", "abcdefghijk"] {
        assert!(bad.parse::<EnvironmentTag>().is_err(), "{bad}");
    }
}
