#include "client/cli/common_options.h"

#include "absl/strings/str_cat.h"

namespace incipit {

void AddConnectOptions(CLI::App* command, ConnectOptions* options) {
  CLI::Option* connect =
      command->add_option("--connect", options->address, "the node: tcp://HOST:PORT, unix:///PATH or unix://@NAME")
          ->type_name("ADDRESS")
          ->capture_default_str();
  AddClusterOption(command, connect, &options->cluster);
  command->add_option("--tenant", options->tenant, "whose blocks")->type_name("NAME")->capture_default_str();
  AddSecretFileOption(command, &options->secret_file);
  command->add_option("--owner", options->owner, "tenant whose namespace is used, if it grants that; default: --tenant")
      ->type_name("NAME");
  command
      ->add_option("--sealing-key-file", options->sealing_key_file,
                   "the key that blocks are sealed with; `incipit key new FILE` makes one")
      ->type_name("FILE");
  command
      ->add_option("--codec", options->codec,
                   "how put stores blocks: bf16-lossless, bf16-lossless-fast, fp8-lossless or fp8 (lossy: seen by "
                   "clients with it alone)")
      ->type_name("NAME");
  command->add_option("--timeout-ms", options->timeout_ms, "how long to wait for the node, in milliseconds")
      ->type_name("N")
      ->check(CLI::Range(uint32_t{1}, uint32_t{3'600'000}))
      ->capture_default_str();
  command->add_flag("--json", options->json, "print JSON with stable field names");
}

void AddSecretFileOption(CLI::App* command, std::string* secret_file) {
  command->add_option("--secret-file", *secret_file, "file with the tenant's secret, where the node has tenants")
      ->type_name("FILE");
}

void AddClusterOption(CLI::App* command, CLI::Option* connect, std::vector<std::string>* seeds) {
  command
      ->add_option("--cluster", *seeds,
                   "instead of one node the cluster that these are of: addresses of some of its nodes, as in --connect")
      ->type_name("SEED[,SEED]")
      ->delimiter(',')
      ->excludes(connect);
}

namespace {

ClientOptions MakeClientOptions(const ConnectOptions& options, const std::string& model, const Layout& layout) {
  ClientOptions client;
  client.address = options.cluster.empty() ? options.address : ClusterAddress(options.cluster);
  client.tenant = options.tenant;
  client.secret_file = options.secret_file;
  client.namespace_owner = options.owner;
  client.sealing_key_file = options.sealing_key_file;
  client.codec = options.codec;
  client.model = model;
  client.layout = layout;
  client.client_name = "incipit";
  client.progress = Progress::kCaller;
  client.connect_timeout_ms = options.timeout_ms;
  client.default_deadline_ms = options.timeout_ms;
  return client;
}

// Names the flag, and what to look at.
absl::Status Explain(const std::string& flag, const absl::Status& status) {
  const bool unreachable = absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
  return absl::Status(status.code(),
                      absl::StrCat(flag, ": ", status.message(),
                                   unreachable ? "; is `incipit serve` running there, and is the port right?" : ""));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> ConnectTo(const ConnectOptions& options, const std::string& model,
                                                  const Layout& layout) {
  absl::StatusOr<std::unique_ptr<Client>> connected = Client::Connect(MakeClientOptions(options, model, layout));
  if (connected.ok()) return connected;
  return Explain(options.cluster.empty() ? "--connect " + options.address : std::string("--cluster"),
                 connected.status());
}

}  // namespace incipit
