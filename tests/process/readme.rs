//! The README: its commands are run in order, and its regular expression and examples are checked.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use testkit::process::Process;

use crate::home::Home;

#[tokio::test]
async fn every_command_prints_what_the_readme_shows() {
    let steps = steps();
    assert!(steps.len() > 10, "{steps:#?}");
    let home = Home::embedded().with("KEYSTILE_DATA_DIR", "./keystile-data");
    let serving = home.serve().await;
    let root = serving.root().await;
    let home = home
        .with("KEYSTILE_VERIFY_LISTEN", &serving.verify.to_string())
        .with("KEYSTILE_ADMIN_LISTEN", &serving.admin.to_string());

    let mut bash = home.command("bash");
    for (name, value) in std::env::vars().filter(|(name, _)| !name.starts_with("KEYSTILE_")) {
        bash.env(name, value);
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/process");
    let binary = Path::new(env!("CARGO_BIN_EXE_keystile")).parent().unwrap();
    let path = format!("{}:{}:{}", here.display(), binary.display(), std::env::var("PATH").unwrap());
    let script = script(&steps).replace("127.0.0.1:9464", &serving.metrics.to_string());
    bash.args(["-c", &script])
        .env("PATH", path)
        .env("ROOT", &root)
        .env("README_VERIFY", serving.verify.to_string())
        .env("README_ADMIN", serving.admin.to_string());
    let reader = Process::spawn(&mut bash);
    for number in 0..steps.len() {
        reader.prints(&end(number)).await;
    }
    let ended = reader.ended().await.with_code(0);
    for (number, step) in steps.iter().enumerate() {
        let (_, rest) = ended.stdout.split_once(&begin(number)).unwrap();
        let (printed, _) = rest.split_once(&end(number)).unwrap();
        let mut lines = printed.lines().map(plain);
        for expected in step.answer.lines().map(plain) {
            let found = lines.any(|line| line == expected);
            assert!(
                found,
                "{expected:?} is not (next) in the answer to\n{}\nwhich is{printed}",
                step.commands
            );
        }
    }
    serving.stop().await;
}

#[tokio::test]
async fn the_regular_expression_of_the_readme_matches_only_api_keys() {
    let home = Home::embedded();
    let minted = home.run(&["root-key"]).await.with_code(0);
    let api_key = minted.stdout.trim_end();
    let blocks = blocks();
    let expression = blocks.iter().find(|block| block.info == "regex").unwrap().text.trim_end();
    let around = format!("KEY=\"{api_key}\"\n{}****\n{api_key}x\nX{api_key}\n", &api_key[..36]);
    home.write("around", &around);
    let found = Process::spawn(home.command("grep").args(["-oE", expression, "around"])).ended().await;
    assert_eq!(found.stdout, format!("{api_key}\n"));
}

#[test]
fn the_readme_shows_the_compiled_examples() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/client/examples");
    let blocks = blocks();
    for name in ["verify.rs", "guard.rs"] {
        let example = fs::read_to_string(folder.join(name)).unwrap();
        assert!(blocks.iter().any(|block| block.info == "rust" && block.text == example), "{name}");
    }
}

#[tokio::test]
async fn the_examples_do_what_the_readme_says() {
    let home = Home::embedded();
    let serving = home.serve().await;
    let root = serving.root().await;
    let caller = serving.caller(&root);
    caller.create_project().await;
    let (key, api_key) = caller.create_key("Mobile app").await;
    let (endpoint, examples) = (format!("http://{}", serving.verify), examples());
    let run = |name: &str, arguments: [&str; 2]| {
        let program = examples.join(name);
        let mut command = home.command(program.to_str().unwrap());
        Process::spawn(command.env("CREDENTIAL", &root).args(arguments))
    };

    let guard = run("guard", [&endpoint, "127.0.0.1:0"]);
    let printed = guard.prints("\n").await;
    let guarded = format!("http://{}/", printed.trim_end().strip_prefix("listening on ").unwrap());
    let curl = async || {
        let header = format!("x-api-key: {api_key}");
        let arguments = ["-s", "-w", "%{http_code}", "-H", &header, &guarded];
        Process::spawn(home.command("curl").args(arguments)).ended().await.with_code(0).stdout
    };

    let verified = run("verify", [&endpoint, &api_key]).ended().await.with_code(0);
    assert_eq!(verified.stdout, "welcome, Mobile app\n");
    assert_eq!(curl().await, "welcome, Mobile app\n200");

    caller.revoke(&key.name).await;
    let verified = run("verify", [&endpoint, &api_key]).ended().await.with_code(0);
    assert!(verified.stdout.starts_with("401 Unauthorized: "), "{verified:?}");
    assert_eq!(curl().await, "401");

    serving.stop().await;
    assert_eq!(curl().await, "503");
    guard.kill().await;
}

/// The folder of the compiled examples; a full test run has compiled them already.
fn examples() -> PathBuf {
    let profile = Path::new(env!("CARGO_BIN_EXE_keystile")).parent().unwrap();
    let mut build = Command::new(env!("CARGO"));
    build.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--workspace", "--examples", "--locked"]);
    if profile.ends_with("release") {
        build.arg("--release");
    }
    let built = build.output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    profile.join("examples")
}

/// Commands to run, and lines that they print in this order, possibly with others between.
#[derive(Debug)]
struct Step {
    commands: String,
    answer: String,
}

/// A fenced block.
#[derive(Debug)]
struct Block {
    info: String,
    text: String,
}

/// Each `sh` block with the `text` block that follows.
fn steps() -> Vec<Step> {
    let mut blocks = blocks().into_iter().peekable();
    let mut steps = Vec::new();
    while let Some(block) = blocks.next() {
        if block.info == "sh" {
            let answer = blocks.next_if(|next| next.info == "text").map(|next| next.text);
            steps.push(Step { commands: block.text, answer: answer.unwrap_or_default() });
        }
    }
    steps
}

fn blocks() -> Vec<Block> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let mut blocks = Vec::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        // Within a list the whole block is indented.
        let Some((indent, info)) = line.split_once("```").filter(|(indent, _)| indent.trim().is_empty())
        else {
            continue;
        };
        let close = format!("{indent}```");
        let text = lines.by_ref().take_while(|line| **line != close);
        let text = text.map(|line| format!("{}\n", line.strip_prefix(indent).unwrap_or(line))).collect();
        blocks.push(Block { info: info.to_owned(), text });
    }
    blocks
}

/// One script for all steps, so that variables are kept; it ends at the first command that fails.
fn script(steps: &[Step]) -> String {
    let mut script = "set -eu\n".to_owned();
    for (number, Step { commands, .. }) in steps.iter().enumerate() {
        let quoted = commands.replace('\'', r"'\''");
        // Print the commands too, so that a failure can be understood.
        script.push_str(&format!("printf '%s' '{quoted}'\nprintf '%s' '{}'\n", begin(number)));
        script.push_str(&format!("{commands}\nprintf '%s' '{}'\n", end(number)));
    }
    script
}

fn begin(number: usize) -> String {
    format!("\n=== step {number} prints ===\n")
}

fn end(number: usize) -> String {
    format!("\n=== step {number} is done ===\n")
}

/// A line of JSON without white space, which differs between clients, and without a comma at its end.
fn plain(line: &str) -> String {
    let text: String = line.chars().filter(|it| !it.is_whitespace()).collect();
    text.trim_end_matches(',').to_owned()
}
