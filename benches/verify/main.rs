//! The benchmark of a Verify: `cargo bench --bench verify`, told of in `benches/README.md`.

mod admin;
mod arguments;
mod bare;
mod clock;
mod load;
mod numbers;
mod pacer;
mod requests;
mod serve;
mod server;
mod wire;

use std::error::Error;

use clap::Parser;

use arguments::Arguments;

type Fallible<T> = Result<T, Box<dyn Error>>;

fn main() -> Fallible<()> {
    let arguments = Arguments::parse();
    if let Some(kind) = arguments.serve {
        return serve::serve(kind, arguments.listen, &arguments.answer);
    }
    // One thread: whatever the client does not take is the server's.
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            use keystile::grpc::proto::Code;
            use load::*;
            use requests::*;
            use std::time::Duration;
            let ours = server::Server::ours(&[])?;
            let admin = admin::Admin::of(&ours).await?;
            admin.create_project().await?;
            let key = admin.create_key(0).await?;
            let answer = admin.verify(&key).await?;
            println!("{answer:?} {}", prost::Message::encoded_len(&answer));
            let bare = server::Server::bare(&answer)?;
            for (method, form, w) in [
                ("Verify", Form::Verify, Width { connections: 8, in_flight: 32 }),
                ("BatchVerify", Form::Batch(100), Width { connections: 8, in_flight: 4 }),
                ("StreamVerify", Form::Stream, Width { connections: 4, in_flight: 256 }),
            ] {
                let n = if let Form::Batch(n) = form { n } else { 1 };
                let requests = Requests::new(vec![&key; n], form, Code::Valid);
                let mut a = Load::open(&ours, method, &requests, w, false).await?;
                let mut b = Load::open(&bare, method, &requests, w, false).await?;
                for _ in 0..3 {
                    let t = Duration::from_millis(300);
                    let x = a.saturate(&ours, t, t * 5).await?;
                    let y = b.saturate(&bare, t, t * 5).await?;
                    println!("{method} ours {:.0}/s {:.2}us bare {:.0}/s {:.2}us  ratio {:.3}", x.rate, x.cpu, y.rate, y.cpu, x.rate / y.rate);
                    if method == "Verify" {
                        let x = a.pace(&ours, y.rate / 2.0, t, t * 5).await?;
                        let y = b.pace(&bare, y.rate / 2.0, t, t * 5).await?;
                        println!("paced ours {:.0} {:.0} bare {:.0} {:.0} at {:.0}", x.p50, x.p99, y.p50, y.p99, y.rate);
                    }
                }
            }
            Ok(())
        })
}
