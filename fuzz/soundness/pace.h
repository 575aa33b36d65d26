// When a long run of random programs ends and tells how far it is: what the runners here and in fuzz/soak share.
#pragma once

#include <chrono>
#include <functional>

namespace skep::soundness {

// Report has `spent`, a number of seconds. `seconds`: how long it may take; 0: until everything was done.
template <class Report>
class Pace {
 public:
  Pace(double seconds, const std::function<void(const Report&)>& progress) : seconds_(seconds), progress_(progress) {}

  // Asked between programs; tells the progress once a second.
  bool is_over(Report& report) {
    const auto now = Clock::now();
    report.spent = now - start_;
    if (now - told_ >= std::chrono::seconds(1)) told_ = now, progress_(report);
    return seconds_ > 0 && report.spent.count() >= seconds_;
  }
  void end(Report& report) {
    report.spent = Clock::now() - start_;
    progress_(report);
  }

 private:
  using Clock = std::chrono::steady_clock;
  double seconds_;
  const std::function<void(const Report&)>& progress_;
  Clock::time_point start_ = Clock::now(), told_ = start_;
};

}  // namespace skep::soundness
