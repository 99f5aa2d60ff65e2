//! The table. A caller whose role is not named gets PERMISSION_DENIED, whichever the project.

/// The built-in roles; the last caller holds none.
pub(super) const ROLES: [&str; 7] =
    ["root", "privileged", "project-admin", "auditor", "viewer", "verifier", ""];

/// The project of the caller; another; and none.
pub(super) const PROJECTS: [&str; 3] = ["own", "foreign", "missing"];

pub(super) struct Row {
    pub(super) method: &'static str,
    /// An `x` below each role that may call it, in the order of [`ROLES`].
    roles: &'static str,
    /// What the others get, in the order of [`PROJECTS`].
    pub(super) outcomes: [&'static str; 3],
}

impl Row {
    pub(super) fn allows(&self, role: usize) -> bool {
        self.roles.as_bytes()[role] == b'x'
    }
}

const fn row(method: &'static str, roles: &'static str, outcomes: [&'static str; 3]) -> Row {
    assert!(roles.len() == ROLES.len());
    Row { method, roles, outcomes }
}

const OWN_ONLY: [&str; 3] = ["OK", "NOT_FOUND", "NOT_FOUND"];
const VERIFY: [&str; 3] = ["VALID", "code NOT_FOUND", "code NOT_FOUND"];
const WHEREVER: [&str; 3] = ["OK"; 3];
/// The callers here may not act on all projects.
const NEEDS_ALL: [&str; 3] = ["PERMISSION_DENIED"; 3];

#[rustfmt::skip]
pub(super) const ROWS: [Row; 37] = [
    //                                                  root
    //                                                  |privileged
    //                                                  ||project-admin
    //                                                  |||auditor
    //                                                  ||||viewer
    //                                                  |||||verifier
    //                                                  ||||||none
    row("AuditService/ListAuditEvents",                "xxxxx..", OWN_ONLY),
    row("AuditService/VerifyAuditChain",               "xxxxx..", NEEDS_ALL),
    row("AuditService/WatchAuditEvents",               "xxxxx..", OWN_ONLY),
    row("CallerService/WhoAmI",                        "xxxxxxx", WHEREVER),
    row("KeyService/CountKeys",                        "xxxxx..", OWN_ONLY),
    row("KeyService/CreateKey",                        "xxx....", OWN_ONLY),
    row("KeyService/DeleteKey",                        "xxx....", OWN_ONLY),
    row("KeyService/DisableKey",                       "xxx....", OWN_ONLY),
    row("KeyService/EnableKey",                        "xxx....", OWN_ONLY),
    row("KeyService/ExplainVerify",                    "xxxx...", OWN_ONLY),
    row("KeyService/GetKey",                           "xxxxx..", OWN_ONLY),
    row("KeyService/ListKeys",                         "xxxxx..", OWN_ONLY),
    row("KeyService/LookupKey",                        "xxxxx..", OWN_ONLY),
    row("KeyService/RevokeKey",                        "xxx....", OWN_ONLY),
    row("KeyService/RotateKey",                        "xxx....", OWN_ONLY),
    row("KeyService/UndeleteKey",                      "xxx....", OWN_ONLY),
    row("KeyService/UpdateKey",                        "xxx....", OWN_ONLY),
    row("ProjectService/CreateProject",                "xx.....", ["ALREADY_EXISTS", "PERMISSION_DENIED", "PERMISSION_DENIED"]),
    row("ProjectService/DeleteProject",                "xx.....", ["IN_USE", "NOT_FOUND", "NOT_FOUND"]),
    row("ProjectService/GetProject",                   "xxxxx..", OWN_ONLY),
    row("ProjectService/ListProjects",                 "xxxxx..", WHEREVER),
    row("ProjectService/UpdateProject",                "xxx....", OWN_ONLY),
    row("RoleService/CreateRole",                      "xxx....", OWN_ONLY),
    row("RoleService/DeleteRole",                      "xxx....", ["PROTECTED", "NOT_FOUND", "NOT_FOUND"]),
    row("RoleService/GetRole",                         "xxxxx..", OWN_ONLY),
    row("RoleService/ListRoles",                       "xxxxx..", OWN_ONLY),
    row("RoleService/UpdateRole",                      "xxx....", ["PROTECTED", "NOT_FOUND", "NOT_FOUND"]),
    row("ServiceAccountService/CreateServiceAccount",  "xxx....", OWN_ONLY),
    row("ServiceAccountService/DeleteServiceAccount",  "xxx....", OWN_ONLY),
    row("ServiceAccountService/DisableServiceAccount", "xxx....", OWN_ONLY),
    row("ServiceAccountService/EnableServiceAccount",  "xxx....", OWN_ONLY),
    row("ServiceAccountService/GetServiceAccount",     "xxxxx..", OWN_ONLY),
    row("ServiceAccountService/ListServiceAccounts",   "xxxxx..", OWN_ONLY),
    row("ServiceAccountService/UpdateServiceAccount",  "xxx....", OWN_ONLY),
    row("VerifyService/BatchVerify",                   "xxx..x.", VERIFY),
    row("VerifyService/StreamVerify",                  "xxx..x.", VERIFY),
    row("VerifyService/Verify",                        "xxx..x.", VERIFY),
];
