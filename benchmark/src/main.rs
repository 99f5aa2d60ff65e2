//! The benchmark of a Verify: `cargo run --release -p keystile-benchmark`; its README explains it.

mod admin;
mod arguments;
mod bare;
mod clock;
mod database;
mod executable;
mod fixture;
mod keys;
mod load;
mod numbers;
mod pacer;
mod plan;
mod population;
mod report;
mod requests;
mod rows;
mod serve;
mod server;
mod telemetry;
mod wire;

use std::error::Error;

use clap::Parser;
use tokio::runtime::Builder;

use arguments::Arguments;
use plan::Plan;
use report::Report;

type Fallible<T> = Result<T, Box<dyn Error>>;

fn main() -> Fallible<()> {
    let arguments = Arguments::parse();
    if arguments.bare {
        return serve::serve(arguments.listen, &arguments.answer);
    }
    let with = arguments.with.iter().map(|it| {
        let (name, value) = it.split_once('=').ok_or("--with takes NAME=VALUE")?;
        Ok((name.to_owned(), value.to_owned()))
    });
    let with = with.collect::<Fallible<_>>()?;
    server::WITH.get_or_init(|| with);
    let executable = executable::build()?;
    server::EXECUTABLE.get_or_init(|| executable);
    let plan = Plan::new(&arguments);
    let mut report = Report::new(arguments.quick);
    // One thread, so that the rest of the machine is for the server.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let measured = runtime.block_on(rows::all(&plan, &mut report));
    // Show what was measured before a failure.
    println!();
    report.print();
    report.write(&arguments.json)?;
    measured
}
