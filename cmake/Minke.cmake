# One CMake target per folder of src/. minke_library(NAME deps...) builds src/NAME as minke_NAME and lets it see exactly the
# folders that the layer table below allows; tools/check_layers checks the includes against the same table.

set(MINKE_LAYERS_base "")
set(MINKE_LAYERS_tensor base)
set(MINKE_LAYERS_kernels base tensor)
set(MINKE_LAYERS_jinja base)
set(MINKE_LAYERS_format base tensor)
set(MINKE_LAYERS_tokenizer base tensor format)
set(MINKE_LAYERS_model base tensor kernels format)
set(MINKE_LAYERS_engine base tensor model)
set(MINKE_LAYERS_quantize base tensor kernels format model)
set(MINKE_LAYERS_convert base tensor kernels format tokenizer model quantize)
set(MINKE_LAYERS_synthetic base tensor kernels format tokenizer model quantize convert)
set(MINKE_LAYERS_measure base tensor kernels format model engine)
set(MINKE_LAYERS_hub base)
set(MINKE_LAYERS_sandbox base)
set(MINKE_LAYERS_tasks base sandbox)
set(MINKE_LAYERS_train base tensor kernels format jinja tokenizer model engine data tasks)
set(MINKE_LAYERS_eval base tensor model tokenizer tasks train)
set(MINKE_LAYERS_cli base tensor kernels jinja format tokenizer model engine quantize convert synthetic measure hub data ledger train tasks eval)
set(MINKE_LAYERS_data base tensor jinja format tokenizer)
set(MINKE_LAYERS_ledger base)
set(MINKE_LAYERS_server base)

add_library(minke_flags INTERFACE)
target_compile_options(minke_flags INTERFACE -Wall -Wextra -Werror -Wshadow -Wnon-virtual-dtor -fno-math-errno -ffp-contract=off)
target_include_directories(minke_flags INTERFACE ${PROJECT_SOURCE_DIR}/src)

# Under the sanitizers clang needs a third of the time for what computes little when it need not optimise, nor count branches
# for fuzzers that never run it: the program's commands, and tests without loops over numbers.
function(minke_compile_quickly target)
  if(MINKE_FUZZ)
    target_compile_options(${target} PRIVATE -O0 -fno-sanitize=fuzzer-no-link)
  endif()
endfunction()
set(MINKE_LIGHT_TESTS cli convert eval format hub jinja ledger measure quantize sandbox server shards synthetic tasks_files)

function(minke_library name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main/main.cpp$")
  add_library(minke_${name} STATIC ${sources})
  target_link_libraries(minke_${name} PUBLIC minke_flags)
  foreach(layer IN LISTS MINKE_LAYERS_${name})
    target_link_libraries(minke_${name} PUBLIC minke_${layer})
  endforeach()
  target_link_libraries(minke_${name} PUBLIC ${ARGN})
endfunction()

# minke_test(NAME libraries...): tests/NAME/*.cpp become one binary, test_NAME.
function(minke_test name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_executable(test_${name} ${sources})
  target_link_libraries(test_${name} PRIVATE ${ARGN} minke_test_support GTest::gtest GTest::gtest_main)
  add_test(NAME ${name} COMMAND test_${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  if(name IN_LIST MINKE_LIGHT_TESTS)
    minke_compile_quickly(test_${name})
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT 900 ENVIRONMENT
    "ASAN_OPTIONS=allocator_may_return_null=0:detect_leaks=1;UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1")
endfunction()

# minke_fuzz(NAME libs...): tests/fuzz/fuzz_NAME.cpp with the corpus tests/fuzz/corpus/NAME.
function(minke_fuzz name)
  add_executable(fuzz_${name} fuzz_${name}.cpp)
  target_link_libraries(fuzz_${name} PRIVATE ${ARGN})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
endfunction()
