//! The `tallyboard` program: parse, set up logs, run, say how it ended.

use std::process::ExitCode;

use clap::Parser;
use tallyboard::{
    cli::{Cli, Command, LogFormat},
    commands, serve, telemetry,
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    telemetry::init_logs(&cli.log, cli.log_format == LogFormat::Json);
    let outcome = match cli.command {
        Command::Serve(args) => serve::run(args),
        Command::Simulate(args) => commands::simulate(&args),
        Command::Election(command) => commands::election(&command, &mut std::io::stdout()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The last word is for people, whatever the format of the logs.
            #[expect(clippy::print_stderr, reason = "the reason why the program ends")]
            {
                eprintln!("tallyboard: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
