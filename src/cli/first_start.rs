//! What the first start prints, once: the root API key and a first command to paste.

use std::net::SocketAddr;

pub(super) fn welcome(root_key: &str, admin: SocketAddr) -> String {
    format!(
        r#"This is the root API key. It is shown only once; `keystile root-key` issues another.

{root_key}

A first command, which creates a project and returns an API key of it:

grpcurl -plaintext -H "authorization: Bearer {root_key}" \
  -d '{{"project_id": "acme", "project": {{"display_name": "Acme", "prefix": "acme"}}}}' \
  {admin} keystile.v1.ProjectService/CreateProject

"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_can_be_pasted() {
        let text = welcome("keystile_live_x", "[::1]:50052".parse().unwrap());
        let command = text.split_once("grpcurl").expect("a command").1;
        assert_eq!(
            command,
            " -plaintext -H \"authorization: Bearer keystile_live_x\" \\\n  \
             -d '{\"project_id\": \"acme\", \"project\": {\"display_name\": \"Acme\", \"prefix\": \"acme\"}}' \\\n  \
             [::1]:50052 keystile.v1.ProjectService/CreateProject\n\n"
        );
    }
}
