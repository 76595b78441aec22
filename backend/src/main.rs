//! The `tallyboard` program: parse, set up logs, run, say how it ended.

use std::process::ExitCode;

use clap::Parser;
use tallyboard::{
    cli::{Cli, Command, LogFormat},
    commands, serve, telemetry, watch,
};

/// Also under librdkafka, which allocates each message on one thread and frees it on another: measured in
/// docs/benchmarks.md, "The allocator".
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    telemetry::init_logs(&cli.log, cli.log_format == LogFormat::Json);
    // What it means that a command couldn't do its work; a recount keeps 1 for votes that it could count.
    let failure =
        if matches!(cli.command, Command::Recount(_)) { ExitCode::from(2) } else { ExitCode::FAILURE };
    let outcome = match cli.command {
        Command::Serve(args) => serve::run(args).map(|()| ExitCode::SUCCESS),
        Command::Simulate(args) => {
            commands::simulate(&args, &mut std::io::stdout()).map(|()| ExitCode::SUCCESS)
        }
        Command::Recount(args) => commands::recount(&args, &mut std::io::stdout())
            .map(|is_equal| if is_equal { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
        Command::Export(args) => commands::export(&args, &mut std::io::stdout()).map(|()| ExitCode::SUCCESS),
        Command::Watch(args) => watch::watch(&args).map(|()| ExitCode::SUCCESS),
        Command::Election(command) => {
            commands::election(&command, &mut std::io::stdout()).map(|()| ExitCode::SUCCESS)
        }
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            // The last word is for people, whatever the format of the logs.
            #[expect(clippy::print_stderr, reason = "the reason why the program ends")]
            {
                eprintln!("tallyboard: {error:#}");
            }
            failure
        }
    }
}
