#include "bench/workloads/workloads.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "bench/workloads/session_workload.h"

namespace incipit::bench {
namespace {

using Profiles = std::vector<SessionProfile>;

// Coding agents. First prompts have a median of 25 thousand tokens, a mean of 92 and at most 852 thousand; tools answer
// in seconds, people in minutes, a quarter of them after more than five. Some 97 % of prompt tokens repeat. As on
// recorded agents, leaf-first LRU hits little with room for 1 % of the blocks and most with room for 5 %.
constexpr SessionProfile kAgents = {.end_s = 4 * 3600,
                                    .sessions_per_s = 0.047,
                                    .shared_openings = 4,
                                    .shared_tokens = 12'288,
                                    .first_tokens = {25'000, 1.61, 852'000},
                                    .turns = 40,
                                    .turn_tokens = {1'200, 1.2, 60'000},
                                    .output_tokens = {250, 1.0, 8'000},
                                    .pause_s = {90, 1.8, 7'200},
                                    .steps_per_pause = 10,
                                    .tool_s = {10, 1.0, 600}};

// People who chat: prompts of thousands of tokens, a few turns, minutes apart.
constexpr SessionProfile kChat = {.sessions_per_s = 1.0,
                                  .shared_tokens = 512,
                                  .first_tokens = {3'000, 1.4, 120'000},
                                  .turns = 3,
                                  .turn_tokens = {400, 1.2, 20'000},
                                  .output_tokens = {300, 0.9, 4'000},
                                  .pause_s = {60, 1.2, 3'600}};

// A program that fills in templates and never comes back to an answer.
constexpr SessionProfile kTemplates = {.sessions_per_s = 3.0,
                                       .shared_openings = 40,
                                       .shared_tokens = 2'048,
                                       .first_tokens = {1'200, 0.8, 16'000},
                                       .output_tokens = {150, 0.7, 2'000}};

Profiles Agentic() { return {kAgents}; }

// Questions about whole repositories: a few of them, which change from a random place on with every commit.
Profiles Repository() {
  return {{.sessions_per_s = 0.5,
           .shared_openings = 6,
           .shared_tokens = 300'000,
           .commits_per_s = 1.0 / 600,
           .first_tokens = {400, 1.0, 8'000},
           .turns = 2.5,
           .turn_tokens = {300, 1.0, 8'000},
           .output_tokens = {500, 0.8, 4'000},
           .pause_s = {45, 1.2, 1'800}}};
}

// Tenants of different kinds on one tier: chat, agents, templates.
Profiles Tenants() {
  SessionProfile agents = kAgents, chat = kChat, templates = kTemplates;
  agents.end_s = chat.end_s = templates.end_s = 5'400;
  agents.sessions_per_s = 0.03;
  return {chat, agents, templates};
}

// Chat, and a long document that everybody asks about within ten minutes; an hour later another.
Profiles FlashCrowd() {
  SessionProfile chat = kChat, crowd = kChat;
  chat.end_s = 7'200;
  crowd.shared_tokens = 60'000;
  crowd.first_tokens = {120, 0.8, 2'000};
  crowd.turns = 1.5;
  crowd.sessions_per_s = 4;
  crowd.start_s = 1'500;
  crowd.end_s = 2'100;
  SessionProfile second = crowd;
  second.start_s = 5'100;
  second.end_s = 5'700;
  return {chat, crowd, second};
}

// Chat beside a program that fills in templates: one-shot prompts that would push conversations out.
Profiles Templates() { return {kChat, kTemplates}; }

struct Named {
  const char* name;
  Profiles (*profiles)();
};
constexpr Named kWorkloads[] = {{"agentic", Agentic},
                                {"repository", Repository},
                                {"tenants", Tenants},
                                {"flash-crowd", FlashCrowd},
                                {"templates", Templates}};

}  // namespace

std::vector<std::string> WorkloadNames() {
  std::vector<std::string> names;
  for (const Named& named : kWorkloads) names.emplace_back(named.name);
  return names;
}

absl::Status GenerateWorkload(std::string_view name, uint64_t seed, uint32_t block_tokens, const TraceVisitor& visit) {
  for (const Named& named : kWorkloads) {
    if (name == named.name) return GenerateSessions(named.profiles(), seed, block_tokens, visit);
  }
  return absl::NotFoundError(
      absl::StrCat("no workload is named \"", std::string(name), "\"; known: ", absl::StrJoin(WorkloadNames(), ", ")));
}

}  // namespace incipit::bench
